# SPDX-License-Identifier: Apache-2.0
"""One of several writers; `cpp/bench/bench_scaling.cpp` is its twin.

Usage: python -m bench.programs.scaling CPU CONTEXT NAME
"""

from __future__ import annotations

import sys
import timeit

import clara_fastio as fastio
from bench.harness.cython_step import load
from bench.harness.serving import pin, serve


def main() -> None:
    """Open the context and take orders."""
    cpu, context_name, name = sys.argv[1:]
    pin(int(cpu))
    variable = fastio.open_context(context_name).variable(name, shape=(1024,))
    names = {"variable": variable, "mutex": load().mutex}
    serve(
        {
            "variable": timeit.Timer("with variable.map('w'): pass", globals=names).timeit,
            "mutex": timeit.Timer("mutex()", globals=names).timeit,
        }
    )


if __name__ == "__main__":
    main()
