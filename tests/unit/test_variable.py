# SPDX-License-Identifier: Apache-2.0
"""Variables: declarations, dynamic dimensions, who may write, versions."""

from __future__ import annotations

import numpy as np
import pytest

import clara_fastio as fastio


def fill(variable, value):
    with variable.map("w") as array:
        array[...] = value


def test_fixed_variable_has_memory_at_once(context):
    """Item 89: all dimensions positive, so it is allocated without a call."""
    variable = context.variable("x", shape=(3, 4), dtype="float32")
    assert variable.is_allocated
    assert not variable.is_dynamic
    assert variable.dynamic_indices == ()
    assert variable.shape == variable.declared_shape == (3, 4)
    assert variable.version == 0
    assert repr(variable) == "<Variable 'x', float32 (3, 4)>"


def test_fixed_shape_cannot_be_updated(context):
    """Item 90: the attempt raises."""
    variable = context.variable("x", shape=(3, 4))
    with pytest.raises(fastio.ShapeError, match="fixed"):
        variable.update_shape((3, 4))


@pytest.mark.parametrize("unknown", [None, -1, 0])
def test_dynamic_variable_starts_without_memory(context, unknown):
    """Item 92: -1, 0 or None in its shape."""
    variable = context.variable("x", shape=(3, unknown), dtype="u16")
    assert variable.is_dynamic
    assert not variable.is_allocated
    assert variable.shape == variable.declared_shape == (3, None)
    assert variable.nbytes == 0


def test_string_is_one_dynamic_dimension_of_bytes(context):
    """Item 93: `string` is uint8 with one unknown dimension."""
    text = context.variable("text", shape=(None,))
    assert not text.is_allocated
    assert (text.dtype, text.shape) == (np.uint8, (None,))
    words = "Grüße, 世界".encode()
    text.update_shape((len(words),))
    fill(text, np.frombuffer(words, np.uint8))
    with text.map("r") as array:
        assert array.tobytes().decode() == "Grüße, 世界"


def test_single_value_has_one_element(context):
    """Item 94: a bare primitive has shape [1]."""
    value = context.variable("x", shape=(1,), dtype="i32")
    fill(value, -7)
    with value.map("r") as array:
        assert array.tolist() == [-7]


def test_dynamic_indices_are_those_that_were_declared(context):
    """Item 95: for [3, -1, 224, -1], indices 1 and 3 can change."""
    variable = context.variable("x", shape=(3, -1, 224, -1))
    assert variable.dynamic_indices == (1, 3)
    variable.update_shape((3, 7, 224, 9))
    assert variable.shape == (3, 7, 224, 9)
    assert variable.declared_shape == (3, None, 224, None)
    assert variable.nbytes == 3 * 7 * 224 * 9


@pytest.mark.parametrize("shape", [(4, 7, 224, 9), (3, 7, 225, 9), (3, 7, 224), (3, 7, 224, 9, 1)])
def test_fixed_dimensions_and_rank_cannot_change(context, shape):
    """Item 96: index 0 and 2 cannot change."""
    variable = context.variable("x", shape=(3, -1, 224, -1))
    with pytest.raises(fastio.ShapeError, match="does not fit 'x'"):
        variable.update_shape(shape)
    assert variable.shape == (3, None, 224, None)


def test_allocate_works_once_all_dimensions_are_known(context):
    """Item 97: and the memory is there."""
    variable = context.variable("x", shape=(None, 4))
    variable.update_shape((2, 4))
    variable.allocate()
    assert variable.is_allocated
    variable.allocate()
    assert variable.is_allocated


def test_allocate_before_that_raises(context):
    """Item 98: a dimension is not known."""
    variable = context.variable("x", shape=(None, 4))
    with pytest.raises(fastio.NotAllocatedError, match="update_shape"):
        variable.allocate()
    with pytest.raises(fastio.NotAllocatedError, match="update_shape"):
        variable.map("w")


def test_outputs_are_readable_and_writable(context):
    """Item 99: for their producer."""
    variable = context.variable("x", shape=(4,))
    assert variable.access == "rw"
    fill(variable, 3)
    with variable.map("r") as array:
        assert array.tolist() == [3] * 4
    with variable.map("r+") as array:
        array[0] = 4
        assert array.tolist() == [4, 3, 3, 3]
    assert variable.version == 2


def test_inputs_are_readable_only(context, peer):
    """Item 100: a write attempt raises, whatever the mode."""
    fill(context.variable("x", shape=(4,)), 3)
    peer.do("variable = context['x']")
    assert peer.value("variable.access") == "r"
    for mode in ("w", "r+", "rw", "write", "read/write"):
        assert peer.error(f"variable.map({mode!r})").startswith("ReadOnlyError")
    assert peer.value("variable.map().mode") == "r"
    peer.do("mapping = variable.map()")
    message = "assignment destination is read-only"
    assert message in peer.error("mapping.array[0] = 1")
    peer.do("mapping.close()")


def test_inputs_have_no_shape_to_update_and_nothing_to_allocate(context, peer):
    """Item 101: both raise."""
    variable = context.variable("x", shape=(None,))
    variable.update_shape((3,))
    fill(variable, 1)
    assert peer.error("context['x'].update_shape((4,))").startswith("ReadOnlyError")
    assert peer.error("context['x'].allocate()").startswith("ReadOnlyError")
    assert peer.error("context['x'].attrs['a'] = 1").startswith("ReadOnlyError")
    assert peer.value("context['x'].shape") == [3]


def test_consumer_waits_for_the_first_content(context, peer):
    """Item 102: reading waits for the producer's output."""
    variable = context.variable("x", shape=(4,))
    assert peer.error("context['x'].map('r')").startswith("NotReadyError")
    assert peer.error("context['x'].map('r', timeout=0.05)").startswith("NotReadyError")
    peer.begin("with context['x'].map('r', timeout=10) as array: seen = array.tolist()")
    fill(variable, 8)
    peer.end()
    assert peer.value("seen") == [8] * 4


def test_name_is_a_str(context):
    """Item 103: and the one it was declared under."""
    assert context.variable("größe", shape=(1,)).name == "größe"


@pytest.mark.parametrize("dtype", fastio.ElementType)
def test_size_is_the_product_of_dimensions_and_item(context, dtype):
    """Item 104: size in bytes equals product of dimensions times item size."""
    variable = context.variable("x", shape=(3, 5, 7), dtype=dtype)
    sizes = {"bool": 1, "bfloat16": 2, "complex64": 8, "complex128": 16}
    size = sizes.get(dtype) or np.dtype(str(dtype)).itemsize
    assert variable.nbytes == 105 * size
    assert variable.element_type is dtype


def test_one_output_is_held_as_input_by_two_operators(context, new_peer):
    """Item 107: at the same time."""
    fill(context.variable("x", shape=(4,)), 2)
    peers = [new_peer(), new_peer()]
    for peer in peers:
        peer.do("mapping = context['x'].map('r')")
    assert {len(entry.readers) for entry in context.entries()} == {2}
    for peer in peers:
        assert peer.value("mapping.array.tolist()") == [2] * 4
        peer.do("mapping.close()")


def test_opening_with_the_same_declaration_gives_the_same_variable(context, peer):
    """Item 108: whoever comes first declares; a race is harmless."""
    code = "variable = context.variable('x', shape=(None, 4), dtype='f32')"
    peer.do(code)
    variable = context.variable("x", shape=(-1, 4), dtype=np.float32)
    variable.update_shape((2, 4))
    fill(variable, 1)
    assert peer.value("[variable.version, variable.shape]") == [1, [2, 4]]


def test_another_declaration_is_refused_and_both_are_named(context):
    context.variable("x", shape=(None, 4), dtype="f32")
    with pytest.raises(fastio.ElementTypeError, match="element type float32, not float64"):
        context.variable("x", shape=(None, 4), dtype="f64")
    with pytest.raises(fastio.ShapeError, match=r"shape \(None, 4\), not \(None, 5\)"):
        context.variable("x", shape=(None, 5), dtype="f32")
    with pytest.raises(fastio.ShapeError, match=r"shape \(None, 4\), not \(2, 4\)"):
        context.variable("x", shape=(2, 4), dtype="f32")
    with pytest.raises(fastio.ShapeError, match="order 'C'"):
        context.variable("x", shape=(None, 4), dtype="f32", order="F")
    with pytest.raises(fastio.AlreadyExistsError, match="sealed=False, not True"):
        context.variable("x", shape=(None, 4), dtype="f32", sealed=True)


def test_variable_without_room_for_its_memory_is_not_there(context_name):
    with fastio.create_context(context_name, memory_limit=4 << 20) as context:
        with pytest.raises(fastio.OutOfMemoryError):
            context.variable("x", shape=(64 << 20,))
        assert "x" not in context
        assert context.variable("x", shape=(1 << 20,)).is_allocated


def test_name_of_an_allocation_is_no_variable(context):
    context.create(8).publish("x")
    with pytest.raises(fastio.AlreadyExistsError, match="allocation"):
        context.variable("x", shape=(8,))


def test_declaring_twice_is_refused(context):
    context.declare("x", (4,), "u8", producer="scan")
    with pytest.raises(fastio.AlreadyExistsError, match="'x'"):
        context.declare("x", (4,), "u8", producer="scan")


def test_variable_of_a_role_is_written_by_nobody_else(context, peer):
    variable = context.declare("x", (4,), "u8", producer="scan")
    assert variable.access == "r"
    with pytest.raises(fastio.ReadOnlyError):
        variable.map("w")
    assert peer.error("context['x'].map('w')").startswith("ReadOnlyError")


@pytest.mark.parametrize("shape", [5, "12", b"12", {3}, object()])
def test_shape_that_is_no_sequence_is_refused(context, shape):
    with pytest.raises(TypeError, match="a shape is a sequence"):
        context.variable("x", shape=shape)


@pytest.mark.parametrize("size", [1.0, True, "3", np.float32(2), np.True_])
def test_size_that_is_no_whole_number_is_refused(context, size):
    with pytest.raises(TypeError, match="dimension 1 of a shape is a whole number"):
        context.variable("x", shape=(3, size))


@pytest.mark.parametrize("shape", [(-2,), (2**63,), (1,) * 33, (2**40, 2**40)])
def test_sizes_that_cannot_be_are_refused(context, shape):
    with pytest.raises(fastio.ShapeError):
        context.variable("x", shape=shape)
    assert "x" not in context


@pytest.mark.parametrize("shape", [(None,), (-1,)])
def test_update_with_an_unknown_size_is_refused(context, shape):
    variable = context.variable("x", shape=(None,))
    with pytest.raises((fastio.ShapeError, TypeError)):
        variable.update_shape(shape)


def test_sizes_may_be_numbers_of_numpy(context):
    variable = context.variable("x", shape=np.array([3, 4]))
    assert variable.shape == (3, 4)
    assert context.variable("y", shape=[np.int16(3), np.uint64(4)]).shape == (3, 4)


def test_order_is_c_or_f(context):
    with pytest.raises(ValueError, match=r"'C' .* or 'F'"):
        context.variable("x", shape=(2, 2), order="A")
    with pytest.raises(TypeError, match="'C' or 'F'"):
        context.variable("x", shape=(2, 2), order=None)


def test_default_mode_writes_for_the_producer_and_reads_for_others(context, peer):
    variable = context.variable("x", shape=(4,))
    with variable.map() as array:
        array[:] = 1
    assert variable.version == 1
    peer.do("with context['x'].map() as array: writable = array.flags.writeable")
    assert peer.value("writable") is False


def test_shape_changes_from_write_to_write(context, peer):
    variable = context.variable("x", shape=(None, 2), dtype="i32")
    for rows in (1, 5, 300, 2, 0, 4000):
        variable.update_shape((rows, 2))
        fill(variable, rows)
        assert variable.shape == (rows, 2)
        peer.do("with context['x'].map('r') as array: seen = [array.shape, int(array.sum())]")
        assert peer.value("seen") == [[rows, 2], rows * rows * 2]
    assert variable.version == 6


def test_shape_stays_when_it_is_written_again(context):
    variable = context.variable("x", shape=(None,))
    variable.update_shape((3,))
    fill(variable, 1)
    fill(variable, 2)
    assert variable.shape == (3,)
    assert variable.version == 2


def test_sealed_variable_is_written_once(context, peer):
    variable = context.variable("x", shape=(4,), sealed=True)
    fill(variable, 5)
    with pytest.raises(fastio.ReadOnlyError):
        variable.map("w")
    assert variable.access == "r"
    assert context.entries()[0].is_frozen
    peer.do("with context['x'].map('r') as array: seen = array.tolist()")
    assert peer.value("seen") == [5] * 4


def test_freed_variable_is_found_by_nobody(context, peer):
    variable = context.variable("x", shape=(4,))
    fill(variable, 5)
    peer.do("variable = context['x']; mapping = variable.map('r')")
    variable.free()
    assert "x" not in context
    assert peer.value("mapping.array.tolist()") == [5] * 4
    peer.do("mapping.close(); del mapping, variable")
    again = context.variable("x", shape=(2,))
    assert again.version == 0


def test_what_was_decided_stays_when_its_object_goes(context):
    """Each look-up makes an object; what the producer has set belongs to the variable."""
    context.variable("x", shape=(None, 3), dtype="u8")
    context["x"].update_shape((2, 3))
    context["x"].attrs["spacing"] = 0.5
    context["x"].allocate()
    with context["x"].map("w") as array:
        assert array.shape == (2, 3)
    assert dict(context["x"].attrs) == {"spacing": 0.5}


def test_what_was_decided_goes_with_the_variable(context):
    context.variable("x", shape=(None,), dtype="u8").update_shape((7,))
    context["x"].free()
    again = context.variable("x", shape=(None,), dtype="u8")
    assert again.shape == (None,)


def test_a_closed_context_does_not_keep_a_variable_from_being_shown(context_name):
    with fastio.create_context(context_name) as context:
        variable = context.variable("x", shape=(3,))
        block = context.create(8)
    assert "was closed" in repr(variable)
    assert "was closed" in repr(block)
