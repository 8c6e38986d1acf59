# SPDX-License-Identifier: Apache-2.0
"""Makes device memory, or reads and copies it beside its own.

Usage: python -m bench.gpu.programs.bandwidth maker|reader CONTEXT NBYTES
"""

from __future__ import annotations

import sys

import clara_fastio as fastio
from bench.gpu import kernels
from bench.gpu.driver import Driver
from bench.gpu.programs.serving import serve


def make(name: str, nbytes: int) -> None:
    """Fill a variable, and live on."""
    context = fastio.open_context(name)
    on = kernels.stream()
    variable = context.variable("x", shape=(nbytes // 4,), dtype="u32", memory="device")
    with variable.map("w", timeout=30, stream=on) as array:
        kernels.fill(array, 7, on)
    on.synchronize()
    serve(lambda _name, _steps: {})


def read(name: str, nbytes: int) -> None:
    """Map it, and take orders."""
    driver, on = Driver(), kernels.stream()
    kernels.warm()
    mapping = fastio.open_context(name)["x"].map("r", timeout=30, stream=on)
    sources = {"own": kernels.empty(nbytes), "others": mapping.array}
    kernels.fill(sources["own"], 7, on)
    target, out = kernels.empty(nbytes), kernels.empty(64)
    begin, end = driver.event(), driver.event()

    def once(what: str, source: object) -> None:
        if what == "read":
            kernels.read(source, out, on)
        else:
            driver.copy(target.data.ptr, source.data.ptr, nbytes, on.ptr)

    def case(name: str, steps: int) -> dict[str, int]:
        what, _, whose = name.partition("-")
        once(what, sources[whose])
        driver.record(begin, on.ptr)
        for _ in range(steps):
            once(what, sources[whose])
        driver.record(end, on.ptr)
        on.synchronize()
        return {"steps": steps, "wall_ns": driver.elapsed_ns(begin, end), "cpu_ns": 0}

    serve(case)


if __name__ == "__main__":
    {"maker": make, "reader": read}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
