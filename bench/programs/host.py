# SPDX-License-Identifier: Apache-2.0
"""Hosts contexts until its standard input ends. Usage: python -m bench.programs.host

The orders are ``add NUMBER`` and ``replace NUMBER``; the name is ``bench-<pid>-<number>``.
"""

from __future__ import annotations

import contextlib
import os

import clara_fastio as fastio
from bench.harness.serving import serve


def main() -> None:
    """Take orders."""
    with contextlib.ExitStack() as contexts:

        def add(number: int) -> None:
            name = f"bench-{os.getpid()}-{number}"
            contexts.enter_context(fastio.create_context(name, capacity=4096))

        def replace(number: int) -> None:
            contexts.close()
            add(number)

        serve({"add": add, "replace": replace})


if __name__ == "__main__":
    main()
