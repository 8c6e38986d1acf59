# SPDX-License-Identifier: Apache-2.0
"""Uses a context in every way that Python has, until it is killed: ``victim.py CONTEXT``."""

from __future__ import annotations

import itertools
import os
import sys

import numpy as np

import clara_fastio as fastio


def one_pass(context, number):
    name = f"victim-{os.getpid()}"
    variable = context.variable(f"{name}-variable", shape=(None,), dtype="u64")
    variable.update_shape((1000 * (1 + number % 50),))
    with variable.map("w") as array:
        array[...] = number
    variable.attrs = {"number": number}
    try:
        with context["board"].map("r", timeout=None) as array:
            assert (array == array[0]).all()
    except fastio.LockAbandonedError:
        pass
    with context["board"].map("w", timeout=None) as array:
        array[...] = number
    block = context.create(100_000)
    with block.map("w") as array:
        array.view(np.uint64)[...] = number
    block.publish(f"{name}-block")
    context.get(f"{name}-block").free()


def main():
    context = fastio.open_context(sys.argv[1])
    print("ready", flush=True)
    for number in itertools.count():
        one_pass(context, number)


main()
