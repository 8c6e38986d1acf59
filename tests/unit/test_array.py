# SPDX-License-Identifier: Apache-2.0
"""The arrays: types, shapes, orders, protocols, and how long they live."""

from __future__ import annotations

import gc
import sys
import tracemalloc

import numpy as np
import pytest

import clara_fastio as fastio
from clara_fastio.testing import debug_mode

NUMPY_TYPES = [name for name in fastio.ElementType if name != "bfloat16"]


def test_array_is_an_ndarray_of_the_shared_bytes(context):
    variable = context.variable("x", shape=(2, 3), dtype="i32")
    mapping = variable.map("w")
    array = mapping.array
    assert type(array) is np.ndarray
    assert (array.shape, array.dtype, array.strides) == ((2, 3), np.int32, (12, 4))
    assert array.flags.c_contiguous
    assert array.flags.aligned
    assert not array.flags.owndata
    assert array.ctypes.data % 64 == 0
    mapping.close()


@pytest.mark.parametrize("dtype", NUMPY_TYPES)
def test_every_element_type_keeps_its_values(context, peer, dtype):
    values = np.array([0, 1, 2, 100]).astype(str(dtype))
    variable = context.variable("x", shape=(4,), dtype=dtype)
    with variable.map("w") as array:
        assert array.dtype == values.dtype
        array[:] = values
    peer.do("with context['x'].map('r') as array: seen = [str(array.dtype), array.tobytes().hex()]")
    assert peer.value("seen") == [str(dtype), values.tobytes().hex()]


def test_bfloat16_is_that_of_ml_dtypes(context, peer):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    variable = context.variable("x", shape=(3,), dtype="bfloat16")
    assert variable.dtype == np.dtype(ml_dtypes.bfloat16)
    assert context.variable("y", shape=(1,), dtype=ml_dtypes.bfloat16).element_type == "bfloat16"
    mapping = variable.map("w")
    mapping.array[:] = [1.5, -2, 3]
    again = np.asarray(mapping)
    assert again.dtype == ml_dtypes.bfloat16
    assert again.astype(np.float32).tolist() == [1.5, -2, 3]
    del again
    mapping.close()
    peer.do("with context['x'].map('r') as array: seen = array.astype('f4').tolist()")
    assert peer.value("seen") == [1.5, -2.0, 3.0]


def test_array_without_dimensions_holds_one_value(context, peer):
    variable = context.variable("x", dtype="f64")
    assert variable.shape == ()
    assert variable.nbytes == 8
    with variable.map("w") as array:
        assert array.shape == ()
        array[...] = 2.5
    peer.do("with context['x'].map('r') as array: seen = [array.shape, float(array)]")
    assert peer.value("seen") == [[], 2.5]


@pytest.mark.parametrize("shape", [(0,), (0, 4), (3, 0), (0, 0)])
def test_no_elements_is_a_result_too(context, peer, shape):
    """Zero length after `update_shape`: no detections, an empty string."""
    variable = context.variable("x", shape=(None,) * len(shape), dtype="f32")
    variable.update_shape(shape)
    assert variable.nbytes == 0
    with variable.map("w") as array:
        assert array.shape == shape
        assert array.size == 0
    peer.do("with context['x'].map('r') as array: seen = array.shape")
    assert peer.value("seen") == list(shape)


def test_thirty_two_dimensions(context, peer):
    shape = (2,) * 4 + (1,) * 28
    variable = context.variable("x", shape=shape, dtype="u16")
    with variable.map("w") as array:
        assert array.shape == shape
        array.ravel()[:] = range(16)
    peer.do("with context['x'].map('r') as array: seen = [array.ndim, array.ravel().tolist()]")
    assert peer.value("seen") == [32, list(range(16))]


def test_column_major_arrays(context, peer):
    variable = context.variable("x", shape=(2, 3), dtype="i16", order="F")
    assert variable.order == "F"
    with variable.map("w") as array:
        assert array.strides == (2, 4)
        assert array.flags.f_contiguous
        array[:] = [[1, 2, 3], [4, 5, 6]]
        assert array.ravel(order="K").tolist() == [1, 4, 2, 5, 3, 6]
    peer.do("with context['x'].map('r') as array: seen = [array.strides, array.tolist()]")
    assert peer.value("seen") == [[2, 4], [[1, 2, 3], [4, 5, 6]]]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_array_of_more_than_four_gibibytes(context, new_peer):
    size = (4 << 30) + 4096
    variable = context.variable("x", shape=(size,))
    with variable.map("w") as array:
        array[0], array[1 << 32], array[-1] = 1, 2, 3
    peer = new_peer()  # Not before, for its time is limited.
    peer.do(
        "with context['x'].map('r') as a: seen = [a.size, *map(int, (a[0], a[1 << 32], a[-1]))]"
    )
    assert peer.value("seen") == [size, 1, 2, 3]


def test_array_outlives_everything_it_came_from(context_name):
    with fastio.create_context(context_name) as context:
        variable = context.variable("x", shape=(1000,), dtype="f32")
        with variable.map("w") as array:
            array[:] = 3
        mapping = variable.map("r")
        array = mapping.array
        part = array[10:20].reshape(2, 5)
        mapping.close()
        variable.free()
    del mapping, variable, context, array
    gc.collect()
    assert part.tolist() == [[3] * 5] * 2


def test_old_content_is_not_recycled_under_an_array(context):
    """The reference bit stays set while an array lives."""
    block = context.create(100_000)
    with block.map("w") as array:
        array[:] = 1
    mapping = block.map("r")
    old = mapping.array
    mapping.close()
    block.release()
    for _ in range(3):
        other = context.create(100_000)
        with other.map("w") as array:
            array[:] = 2
        other.release()
    assert (old == 1).all()


def test_mapping_is_a_buffer(context):
    variable = context.variable("x", shape=(2, 3), dtype="i32", order="F")
    mapping = variable.map("w")
    mapping.array[:] = [[1, 2, 3], [4, 5, 6]]
    with memoryview(mapping) as view:
        assert (view.shape, view.strides, view.format) == ((2, 3), (4, 8), "i")
        assert not view.readonly
        assert view.tolist() == [[1, 2, 3], [4, 5, 6]]
    again = np.asarray(mapping)
    assert np.shares_memory(again, mapping.array)
    again[0, 0] = 9
    assert mapping.array[0, 0] == 9
    mapping.close()


def test_buffer_that_is_held_keeps_the_memory(context):
    variable = context.variable("x", shape=(3,))
    with variable.map("w") as array:
        array[:] = 4
    mapping = variable.map("r")
    view = memoryview(mapping)
    mapping.close()
    del mapping
    gc.collect()
    assert view.tolist() == [4, 4, 4]
    view.release()


def test_closed_mapping_is_no_buffer_and_no_array(context):
    mapping = context.variable("x", shape=(3,)).map("w")
    mapping.close()
    for use in (memoryview, np.asarray, np.from_dlpack, lambda one: one.__array_interface__):
        with pytest.raises(fastio.ClosedError):
            use(mapping)


def test_array_interface_holds_the_memory(context):
    class Consumer:
        def __init__(self, mapping):
            self.mapping = mapping
            self.__array_interface__ = mapping.__array_interface__

    variable = context.variable("x", shape=(3,), dtype="f32")
    with variable.map("w") as array:
        array[:] = 4
    mapping = variable.map("r")
    interface = mapping.__array_interface__
    assert interface["version"] == 3
    assert interface["shape"] == (3,)
    assert interface["data"][1] is True
    consumer = Consumer(mapping)
    mapping.close()
    variable.free()
    assert np.asarray(consumer).tolist() == [4, 4, 4]


def test_conversion_follows_numpy(context):
    variable = context.variable("x", shape=(3,), dtype="i32")
    mapping = variable.map("w")
    mapping.array[:] = 1
    assert mapping.__array__() is mapping.array
    assert mapping.__array__(np.int32) is mapping.array
    assert mapping.__array__("f8").dtype == np.float64
    copied = mapping.__array__(copy=True)
    assert not np.shares_memory(copied, mapping.array)
    with pytest.raises(ValueError, match="without a copy"):
        mapping.__array__("f8", copy=False)
    mapping.close()


def test_mapping_again_and_again_takes_no_more_memory(context):
    variable = context.variable("x", shape=(100, 100))

    def work():
        for _ in range(1000):
            with variable.map("w") as array:
                array[0, 0] = 1
            mapping = variable.map("r")
            view = memoryview(mapping)
            part = mapping.array[5:]
            mapping.close()
            del view, part

    with debug_mode(enabled=False):
        work()
        tracemalloc.start()
        work()
        before = tracemalloc.get_traced_memory()[0]
        references = sys.getrefcount(np.dtype("uint8"))
        work()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
    assert grown < 1000
    assert abs(sys.getrefcount(np.dtype("uint8")) - references) < 100
