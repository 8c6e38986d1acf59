# SPDX-License-Identifier: Apache-2.0
"""The export to other array libraries by DLPack."""

from __future__ import annotations

import ctypes
import gc

import numpy as np
import pytest

import clara_fastio as fastio

CPU = (1, 0)
READ_ONLY, IS_COPIED = 1, 2
CODES = {"i": 0, "u": 1, "f": 2, "c": 5, "b": 6}

_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.restype = ctypes.c_void_p
_get_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


class Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class Versioned(ctypes.Structure):
    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("manager", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", Tensor),
    )


def read(capsule):
    """Look into a version 1 capsule."""
    pointer = _get_pointer(capsule, b"dltensor_versioned")
    return ctypes.cast(pointer, ctypes.POINTER(Versioned)).contents


@pytest.fixture
def variable(context):
    variable = context.variable("x", shape=(2, 3), dtype="i32")
    with variable.map("w") as array:
        array[:] = [[1, 2, 3], [4, 5, 6]]
    yield variable
    variable.release()


def test_capsule_describes_the_memory(variable):
    mapping = variable.map("r")
    capsule = mapping.__dlpack__(max_version=(1, 0))
    managed = read(capsule)
    tensor = managed.tensor
    assert (managed.major, managed.flags) == (1, READ_ONLY)
    assert (tensor.device_type, tensor.device_id) == CPU == mapping.__dlpack_device__()
    assert (tensor.code, tensor.bits, tensor.lanes) == (0, 32, 1)
    assert tensor.shape[: tensor.ndim] == [2, 3]
    assert tensor.strides[: tensor.ndim] == [3, 1]
    assert tensor.data + tensor.byte_offset == mapping.array.ctypes.data
    del capsule
    mapping.close()


@pytest.mark.parametrize("dtype", fastio.ElementType)
def test_every_element_type_has_its_code(context, dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    mapping = context.variable("x", shape=(4,), dtype=dtype).map("w")
    tensor = read(mapping.__dlpack__(max_version=(1, 1))).tensor
    kind = mapping.array.dtype.kind
    assert tensor.code == (4 if dtype == "bfloat16" else CODES[kind])
    assert tensor.bits == 8 * mapping.array.itemsize
    mapping.close()


def test_column_major_strides_are_in_elements(context):
    mapping = context.variable("x", shape=(2, 3), dtype="i16", order="F").map("w")
    tensor = read(mapping.__dlpack__(max_version=(1, 0))).tensor
    assert tensor.strides[:2] == [1, 2]
    mapping.close()


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,) * 32])
def test_shapes_at_the_edge(context, shape):
    variable = context.variable("x", shape=(None,) * len(shape), dtype="u8")
    if shape:
        variable.update_shape(shape)
    mapping = variable.map("w")
    assert np.from_dlpack(mapping).shape == shape
    mapping.close()


def test_numpy_takes_it_without_a_copy(variable):
    mapping = variable.map("r")
    array = np.from_dlpack(mapping)
    assert array.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert np.shares_memory(array, mapping.array)
    assert not array.flags.writeable
    mapping.close()
    mapping = variable.map("r+")
    array = np.from_dlpack(mapping)
    assert array.flags.writeable
    array[0, 0] = 9
    mapping.close()
    with variable.map("r") as again:
        assert again[0, 0] == 9


def test_consumer_without_versions_gets_no_read_only_memory(variable):
    mapping = variable.map("r")
    for max_version in (None, (0, 8)):
        with pytest.raises(BufferError, match="read-only"):
            mapping.__dlpack__(max_version=max_version)
    mapping.close()


def test_consumer_without_versions_gets_memory_to_write(variable):
    mapping = variable.map("r+")
    capsule = mapping.__dlpack__()
    assert '"dltensor"' in repr(capsule)
    del capsule
    mapping.close()


def test_copy_is_the_consumers_own(variable):
    mapping = variable.map("r")
    capsule = mapping.__dlpack__(max_version=(1, 0), copy=True)
    managed = read(capsule)
    assert managed.flags == IS_COPIED
    assert managed.tensor.data != mapping.array.ctypes.data
    assert not np.shares_memory(np.from_dlpack(mapping, copy=True), mapping.array)
    assert np.shares_memory(np.from_dlpack(mapping, copy=False), mapping.array)
    mapping.close()


def test_other_devices_and_streams_are_refused(variable):
    mapping = variable.map("r")
    assert mapping.__dlpack__(max_version=(1, 0), dl_device=CPU) is not None
    with pytest.raises(BufferError, match="the host's"):
        mapping.__dlpack__(max_version=(1, 0), dl_device=(2, 0))
    with pytest.raises(BufferError, match="no stream"):
        mapping.__dlpack__(max_version=(1, 0), stream=1)
    mapping.close()


def test_capsule_keeps_the_memory_and_gives_it_back(context):
    variable = context.variable("x", shape=(100_000,))
    with variable.map("w") as array:
        array[:] = 7
    mapping = variable.map("r")
    taken = np.from_dlpack(mapping)
    never_taken = mapping.__dlpack__(max_version=(1, 0))
    mapping.close()
    variable.free()
    del mapping, array
    gc.collect()
    assert (taken == 7).all()
    assert [entry.holders for entry in context.entries()] == [(0,)]
    del taken, never_taken
    assert [entry.holders for entry in context.entries()] in ([], [()])


def test_torch_takes_it_without_a_copy(variable):
    torch = pytest.importorskip("torch")
    mapping = variable.map("r+")
    tensor = torch.from_dlpack(mapping)
    assert tensor.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert tensor.data_ptr() == mapping.array.ctypes.data
    tensor[1, 1] = 50
    assert mapping.array[1, 1] == 50
    del tensor
    mapping.close()
