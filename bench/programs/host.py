# SPDX-License-Identifier: Apache-2.0
"""Hosts contexts until its standard input ends. Usage: python -m bench.programs.host NAME ..."""

from __future__ import annotations

import contextlib
import sys

import clara_fastio as fastio


def main() -> None:
    """Host them all."""
    with contextlib.ExitStack() as stack:
        for name in sys.argv[1:]:
            stack.enter_context(fastio.create_context(name, capacity=4096))
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
