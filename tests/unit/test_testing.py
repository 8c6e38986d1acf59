# SPDX-License-Identifier: Apache-2.0
"""What the package offers to the tests of others."""

from __future__ import annotations

import doctest

import pytest

import clara_fastio as fastio
from clara_fastio import testing


def test_temporary_context_ends_with_its_block():
    with testing.temporary_context() as context:
        name = context.name
        assert context.is_host
        assert name in fastio.list_contexts()
    assert context.closed
    assert name not in fastio.list_contexts()


def test_temporary_context_ends_with_a_failure_too(context_name):
    with pytest.raises(ZeroDivisionError), testing.temporary_context(context_name, capacity=2):
        _ = 1 / 0
    assert context_name not in fastio.list_contexts()


def test_debug_mode_is_set_back(context):
    variable = context.variable("x", shape=(3,))
    with testing.debug_mode(enabled=False):
        with testing.debug_mode(), variable.map("w") as array:
            pass
        assert array.size == 0
        with variable.map("w") as array:
            pass
        assert array.size == 3


def test_examples_of_the_docstrings_are_true():
    assert doctest.testmod(testing).failed == 0
