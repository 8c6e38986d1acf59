# SPDX-License-Identifier: Apache-2.0
"""A program with one mistake in each marked line, which a type checker has to find."""

from __future__ import annotations

import clara_fastio as fastio


def mistakes(context: fastio.Context, variable: fastio.Variable) -> None:
    fastio.create_context(5)  # error: arg-type
    fastio.create_context("x", capacity="many")  # error: arg-type
    fastio.open_context("x", 5)  # error: call-arg
    context.create("1 MiB")  # error: arg-type
    context.variable("x", shape=("a",))  # error: arg-type
    context.variable("x", (1,))  # error: call-arg
    context.get(b"x")  # error: arg-type
    context.nothing()  # error: attr-defined
    variable.map("r", 5)  # error: call-arg
    variable.map("r", timeout="5")  # error: arg-type
    variable.map("r").nbytes = 3  # error: misc
    variable.version = 3  # error: misc
    variable.publish(None)  # error: arg-type
    variable.wait(3)  # error: call-arg
    variable.update_shape(5)  # error: arg-type
    assert context["x"].version == 1  # error: union-attr
    name: str = variable.nbytes  # error: assignment
    assert name
    variable.next(5)  # error: call-arg
    variable.frames(name=3)  # error: call-overload
    variable.frames(3, policy="block")  # error: call-overload
    context.variable("x", queue=4)  # error: arg-type
    fastio.Queue(depth="4")  # error: arg-type
