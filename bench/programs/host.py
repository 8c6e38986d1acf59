# SPDX-License-Identifier: Apache-2.0
"""Hosts contexts until its standard input ends. Usage: python -m bench.programs.host

The orders are ``add NUMBER``, ``replace NUMBER``, and ``crowd NUMBER`` for a context with a hundred
thousand variables; the name is ``bench-<pid>-<number>``.
"""

from __future__ import annotations

import contextlib
import os

import clara_fastio as fastio
from bench.harness.serving import serve

#: Variables of a crowded context.
CROWD = 100_000


def main() -> None:
    """Take orders."""
    with contextlib.ExitStack() as contexts:

        def add(number: int) -> None:
            name = f"bench-{os.getpid()}-{number}"
            contexts.enter_context(fastio.create_context(name, capacity=4096))

        def replace(number: int) -> None:
            contexts.close()
            add(number)

        def crowd(number: int) -> None:
            name = f"bench-{os.getpid()}-{number}"
            context = contexts.enter_context(fastio.create_context(name, capacity=2 * CROWD))
            for i in range(CROWD):
                context.declare(f"variable-{i}", (4,), "uint8")

        serve({"add": add, "replace": replace, "crowd": crowd})


if __name__ == "__main__":
    main()
