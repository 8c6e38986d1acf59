# SPDX-License-Identifier: Apache-2.0
"""Errors: their classes, their facts, and how they come out of the core."""

from __future__ import annotations

import builtins
import errno
import os
import re
from pathlib import Path

import pytest

import clara_fastio as fastio
from clara_fastio import errors

HEADER = Path(__file__).parents[2] / "cpp" / "include" / "clara_fastio" / "error.hpp"
CLASSES = [
    one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)
]


def test_each_code_of_the_core_has_its_class():
    codes = re.findall(r"^  (\w+) = (\d+),$", HEADER.read_text(), re.MULTILINE)
    assert [int(number) for _, number in codes] == list(range(len(errors.ERROR_CLASSES)))
    special = {"invalid_argument": "ValueError", "system": "SystemCallError"}
    for name, number in codes:
        wanted = special.get(name, "".join(map(str.capitalize, name.split("_"))) + "Error")
        assert errors.ERROR_CLASSES[int(number)].__name__ in {
            wanted,
            wanted.replace("ForkedError", "ForkedContextError"),
        }


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_has_one_base_a_docstring_and_a_message(error):
    if error is not errors.FastIOError:
        assert issubclass(error, errors.FastIOError)
    assert error.__doc__
    raised = error("what was wanted and what was found")
    assert str(raised) == raised.message == "what was wanted and what was found"


def test_every_error_is_drawn_at_the_head_of_the_file():
    drawn = re.findall(r"(\w+Error)\b", errors.__doc__ or "")
    builtin = {name for name in drawn if hasattr(builtins, name)}
    assert {error.__name__ for error in CLASSES} == set(drawn) - builtin


def test_every_error_is_a_name_of_the_package():
    assert {error.__name__ for error in CLASSES} <= set(fastio.__all__)


def test_facts_become_attributes():
    error = errors.OutOfMemoryError("too much", requested=5, available=3)
    assert (error.requested, error.available) == (5, 3)


def test_failed_system_call_says_which_error():
    with pytest.raises(fastio.SystemCallError) as caught:
        fastio.open_context(socket=1 << 20)
    assert caught.value.errno == errno.EBADF
    assert isinstance(caught.value, OSError)


def test_descriptor_that_is_no_socket_is_closed_and_refused():
    reading, writing = os.pipe()
    with pytest.raises((fastio.FastIOError, OSError)):
        fastio.open_context(socket=reading)
    os.close(writing)


def test_core_raises_builtins_where_their_meaning_is_the_same(context):
    with pytest.raises(LookupError):
        context["nothing"]
    with pytest.raises(PermissionError):
        context.declare("x", (1,), "u8", producer="other").map("w")
    with pytest.raises(ValueError, match="fixed"):
        context.variable("y", shape=(1,)).update_shape((2,))
    with pytest.raises(TypeError, match="element type"):
        context.variable("z", dtype="f128")
