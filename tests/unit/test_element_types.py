# SPDX-License-Identifier: Apache-2.0
"""Element types: names, aliases, dtypes, and what is none."""

from __future__ import annotations

import numpy as np
import pytest

import clara_fastio as fastio
from clara_fastio.types import ALIASES

PRIMITIVES = list(fastio.ElementType)[:11]


def declared(context, dtype):
    return context.variable("x", shape=(1,), dtype=dtype)


def test_all_eleven_primitives_have_a_short_alias():
    """Item 105: all primitives and their aliases are accepted."""
    assert sorted(ALIASES.values()) == sorted(PRIMITIVES)


@pytest.mark.parametrize("name", fastio.ElementType)
def test_names_are_accepted(context, name):
    assert declared(context, str(name)).element_type is name
    assert declared(context, name).element_type == str(name)


@pytest.mark.parametrize("alias", ALIASES)
def test_alias_and_long_name_are_the_same(context, alias):
    """Item 106: an alias and its long name compare equal. `u8` has eight bits, unlike numpy's."""
    assert fastio.ElementType(alias) == ALIASES[alias]
    variable = declared(context, alias)
    assert variable.element_type == ALIASES[alias]
    assert variable.dtype == np.dtype(ALIASES[alias])


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (np.float32, "float32"),
        (np.dtype("<i8"), "int64"),
        (np.dtype("=u2"), "uint16"),
        (np.longlong, "int64"),
        (np.half, "float16"),
        (float, "float64"),
        (complex, "complex128"),
        (bool, "bool"),
        (np.bool_, "bool"),
    ],
)
def test_dtypes_of_numpy_are_accepted(context, dtype, name):
    assert declared(context, dtype).element_type == name


@pytest.mark.parametrize(
    "dtype",
    [
        "", "f4", "<f4", "float", "int", "string", "float128", "FLOAT32", "é", "u8 ",
        np.dtype("S3"), np.dtype("U3"), np.dtype("O"), np.dtype("M8[s]"), np.dtype("m8[s]"),
        np.dtype("V4"), np.dtype([("a", "i4")]), np.dtype((np.int32, (2,))), np.longdouble, str,
        object, 7, b"u8",
    ],
)  # fmt: skip
def test_everything_else_is_refused_and_the_message_names_it(context, dtype):
    with pytest.raises(fastio.ElementTypeError, match="is no element type"):
        declared(context, dtype)
    assert "x" not in context


def test_swapped_bytes_are_refused(context):
    swapped = np.dtype("i4").newbyteorder()
    with pytest.raises(fastio.ElementTypeError, match="bytes swapped"):
        declared(context, swapped)


def test_no_type_is_refused_because_numpy_would_take_it_for_a_double(context):
    with pytest.raises(TypeError, match="not None"):
        declared(context, None)


def test_other_small_floats_of_ml_dtypes_are_refused(context):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    with pytest.raises(fastio.ElementTypeError, match="float8_e4m3fn"):
        declared(context, ml_dtypes.float8_e4m3fn)


def test_ml_dtypes_is_imported_only_for_bfloat16(run_program):
    program = run_program(
        """
        import sys
        from clara_fastio.testing import temporary_context
        with temporary_context() as context:
            variable = context.variable("x", shape=(2,), dtype="bfloat16")
            print("ml_dtypes" in sys.modules, variable.nbytes, variable.element_type, flush=True)
            sys.modules["ml_dtypes"] = None
            mapping = variable.map("w")
            try:
                mapping.array
            except Exception as error:
                print(type(error).__name__, error, flush=True)
            mapping.close()
        """
    )
    program.expect("False 4 bfloat16")
    wanted = "ElementTypeError numpy has no bfloat16 of its own; install the package ml_dtypes"
    program.expect(wanted)
    program.finish()


def test_element_types_are_texts():
    assert fastio.ElementType.UINT8 == "uint8"
    assert f"{fastio.ElementType.FLOAT32}" == "float32"
    with pytest.raises(ValueError, match="is not a valid ElementType"):
        fastio.ElementType("f128")
