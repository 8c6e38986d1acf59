# SPDX-License-Identifier: Apache-2.0
"""The arrays of cupy that device memory is handed out as, made without any device.

cupy is too large to be installed for these tests alone; `make gpu` runs them where it is.
"""

from __future__ import annotations

import gc
import sys
import warnings
import weakref

import numpy as np
import pytest

from clara_fastio._core.device_array import make_array
from clara_fastio.errors import DeviceError

#: An address that nobody looks at.
ADDRESS = 0x7F0000000000


class Owner:
    """Stands for the mapping that keeps the memory."""


def make_at_address(shape, dtype, *, order="C", owner=None):
    return make_array(ADDRESS, shape, np.dtype(dtype), order, 0, owner)


@pytest.fixture
def make():
    """Make an array of cupy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # What cupy says of a machine without a device.
        try:
            import cupy  # noqa: F401 - whether it can be imported is the question
        except ImportError:
            pytest.skip("cupy is not installed")
    return make_at_address


def test_without_cupy_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(DeviceError, match=r"clara_fastio\[cuda\]"):
        make_at_address((2,), "uint8")


def test_array_lies_at_the_address(make):
    array = make((3, 4, 5), "float32")
    assert array.data.ptr == ADDRESS
    assert (array.shape, array.dtype, array.nbytes) == ((3, 4, 5), np.float32, 240)
    assert array.strides == (80, 20, 4)


def test_columns_can_come_first(make):
    array = make((3, 4), "int16", order="F")
    assert array.strides == (2, 6)
    assert array.flags.f_contiguous
    assert not array.flags.c_contiguous


def test_views_lie_where_numpy_says(make):
    view = make((6, 8), "uint16")[1:, ::2]
    assert view.data.ptr == ADDRESS + 16
    assert (view.shape, view.strides) == ((5, 4), (16, 4))


def test_views_keep_the_owner_alive(make):
    owner = Owner()
    seen = weakref.ref(owner)
    view = make((8,), "uint8", owner=owner)[2:]
    del owner
    gc.collect()
    assert seen() is not None
    del view
    gc.collect()
    assert seen() is None


@pytest.mark.parametrize(
    "dtype",
    [
        *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
        *("float16", "float32", "float64", "complex64", "complex128"),
    ],
)
def test_every_element_type_has_an_array(make, dtype):
    assert make((2, 3), dtype).dtype == np.dtype(dtype)


def test_no_elements_are_an_array_too(make):
    array = make((0, 3), "float32")
    assert (array.shape, array.size) == ((0, 3), 0)


def test_no_dimensions_are_one_element(make):
    assert make((), "float64").nbytes == 8
