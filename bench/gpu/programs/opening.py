# SPDX-License-Identifier: Apache-2.0
"""Makes device memory, or opens it. Usage: ... bench.gpu.programs.opening maker|opener CONTEXT"""

from __future__ import annotations

import sys
from typing import Any

import clara_fastio as fastio
from bench.gpu.driver import Driver
from bench.gpu.programs.serving import serve, timed


def main() -> None:
    """Take orders."""
    role, name = sys.argv[1:]
    driver = Driver()
    stream = driver.stream()
    context = fastio.open_context(name)
    made = 0
    held: list[Any] = []

    def make(nbytes: int) -> None:
        nonlocal made
        made += 1
        variable = context.variable(f"v{made}", shape=(nbytes,), memory="device")
        mapping = variable.map("w", timeout=30, stream=stream)
        driver.fill(mapping.pointer, made % 256, 4096, stream)
        mapping.commit()
        driver.synchronize(stream)
        held.append(variable)

    def free() -> None:
        held.pop().free()

    def first_open() -> None:
        nonlocal made
        made += 1
        variable = context[f"v{made}"]
        held.append(variable)
        held.append(variable.map("r", timeout=30, stream=stream))

    def forget() -> None:
        mapping = held.pop()
        found = driver.first_bytes(mapping.pointer)[0]
        mapping.close()
        held.clear()
        if found != made % 256:
            raise RuntimeError("the wrong content arrived")

    def case(name: str, _: int) -> dict[str, int]:
        word, _, nbytes = name.partition("-")
        actions = {"make": lambda: make(int(nbytes)), "free": free}
        if role == "opener":
            actions = {"open": first_open, "forget": forget}
        return timed(actions[word])

    serve(case)


if __name__ == "__main__":
    main()
