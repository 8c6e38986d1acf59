# SPDX-License-Identifier: Apache-2.0
"""Pins host memory. Usage: python -m bench.gpu.programs.pinning CONTEXT NBYTES"""

from __future__ import annotations

import sys
from typing import Any

import clara_fastio as fastio
from bench.gpu.driver import Driver
from bench.gpu.programs.serving import serve, timed


class Pinning:
    """Host memory that is pinned, and such that is not."""

    def __init__(self, context: fastio.Context, nbytes: int) -> None:
        self._context = context
        self._nbytes = nbytes
        self._driver = Driver()
        self._made = 0
        self._kept = {kind: self._variable(kind) for kind in ("pinned", "plain")}
        for one in self._kept.values():
            one.map("w", timeout=30).commit()
        if not self._kept["pinned"].is_pinned:
            refusal = self._kept["pinned"].pin_refusal
            raise RuntimeError(f"the variable is not pinned: {refusal}")

    def _variable(self, kind: str) -> Any:
        self._made += 1
        return self._context.variable(
            f"v{self._made}", shape=(self._nbytes,), pinned=kind == "pinned"
        )

    def first_map(self, kind: str) -> dict[str, int]:
        """Map memory that nobody has mapped before."""
        fresh = self._variable(kind)
        cost = timed(lambda: fresh.map("w", timeout=30).commit())
        fresh.free()
        return cost

    def best(self) -> dict[str, int]:
        """Have the driver allocate."""
        addresses: list[int] = []
        cost = timed(lambda: addresses.append(self._driver.allocate_host(self._nbytes)))
        self._driver.free_host(addresses[0])
        return cost

    def again(self, kind: str, steps: int) -> dict[str, int]:
        """Map what is mapped already."""
        one = self._kept[kind]

        def run() -> None:
            for _ in range(steps):
                one.map("w").commit()

        return timed(run, steps)


def main() -> None:
    """Take orders."""
    pinning = Pinning(fastio.open_context(sys.argv[1]), int(sys.argv[2]))

    def case(name: str, steps: int) -> dict[str, int]:
        word, _, kind = name.partition("-")
        if word == "again":
            return pinning.again(kind, steps)
        return pinning.best() if word == "best" else pinning.first_map(word)

    serve(case)


if __name__ == "__main__":
    main()
