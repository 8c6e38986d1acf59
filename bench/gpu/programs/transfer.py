# SPDX-License-Identifier: Apache-2.0
"""Copies between host and device. Usage: python -m bench.gpu.programs.transfer CONTEXT NBYTES"""

from __future__ import annotations

import sys

import numpy as np

import clara_fastio as fastio
from bench.gpu.driver import Driver
from bench.gpu.programs.serving import serve


def main() -> None:
    """Make all kinds of memory, and take orders."""
    name, nbytes = sys.argv[1], int(sys.argv[2])
    driver = Driver()
    stream, target = driver.stream(), driver.allocate(nbytes)
    variable = fastio.open_context(name).variable("x", shape=(nbytes,), pinned=True)
    with variable.map("w", timeout=30) as array:
        array[...] = 1
    del array
    mapping = variable.map("r+", timeout=30)
    if not variable.is_pinned:
        raise RuntimeError(f"the variable is not pinned: {variable.pin_refusal}")
    plain = np.ones(nbytes, np.uint8)
    addresses = {
        "ours": mapping.pointer,
        "best": driver.allocate_host(nbytes),
        "plain": plain.ctypes.data,
    }
    begin, end = driver.event(), driver.event()

    def case(name: str, steps: int) -> dict[str, int]:
        way, _, kind = name.partition("-")
        address = addresses[kind]
        driver.record(begin, stream)
        for _ in range(steps):
            if way == "in":
                driver.to_device(target, address, nbytes, stream)
            else:
                driver.to_host(address, target, nbytes, stream)
        driver.record(end, stream)
        driver.synchronize(stream)
        return {"steps": steps, "wall_ns": driver.elapsed_ns(begin, end), "cpu_ns": 0}

    serve(case)


if __name__ == "__main__":
    main()
