# SPDX-License-Identifier: Apache-2.0
"""Raw allocations: private, published, released, freed."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import clara_fastio as fastio
from tests.helpers import leaks


def test_an_allocation_has_what_was_asked_for_and_no_more(context):
    """Item 80: its memory comes in larger units, which nobody may lean on."""
    block = context.create(10)
    with pytest.raises(fastio.ShapeError, match="needs 12 bytes; the allocation has 10"):
        block.set_type_and_dimensions("float32", (3,))
    block.set_type_and_dimensions("float32", (2,))


def test_allocation_has_what_was_asked_for(context):
    """Item 58: `create` returns an allocation of at least the asked size."""
    block = context.create(1 << 20)
    assert block.nbytes == 1 << 20
    assert block.shape == (1 << 20,)
    assert block.dtype == np.uint8
    assert block.element_type == "uint8"
    assert block.name is None
    assert not block.is_published
    assert repr(block) == "<Allocation unpublished, uint8 (1048576,)>"
    with block.map("w") as array:
        array[:] = 255
        assert array.nbytes == 1 << 20


def test_fresh_memory_is_readable_at_once(context):
    block = context.create(1000, zero=True)
    with block.map("r") as array:
        assert not array.any()


def test_recycled_memory_is_zero_when_that_was_asked_for(context):
    for _ in range(5):
        block = context.create(200_000, zero=True)
        with block.map("w") as array:
            assert not array.any()
            array[:] = 9
        block.release()


def test_unpublished_allocation_is_reached_by_nobody_else(context, peer):
    """Item 59: it cannot be reached from another process."""
    block = context.create(16)
    assert peer.value("(list(context), len(context))") == [[], 0]
    assert peer.error("context.get('')").startswith("ValueError")
    block.publish("now")
    assert peer.value("'now' in context")


def test_published_memory_is_the_same_memory_elsewhere(context, peer):
    """Item 60: `get` with the same string in another process reaches the same memory."""
    block = context.create(16)
    with block.map("w") as array:
        array[:] = range(16)
    block.publish("block")
    assert block.name == "block"
    assert block.is_published
    peer.do("with context.get('block').map('r') as array: seen = array.tolist()")
    assert peer.value("seen") == list(range(16))


def test_change_of_one_side_shows_on_the_other(context, peer):
    """Item 61: data is shared, not copied."""
    block = context.create(16, zero=True)
    block.publish("block")
    peer.do("block = context['block']; mapping = block.map('r', dirty=True)")
    with block.map("w") as array:
        array[3] = 77
        assert peer.value("int(mapping.array[3])") == 77
    peer.do("mapping.close()")
    peer.do("with block.map('w') as array: array[4] = 78")
    with block.map("r") as array:
        assert array[3:5].tolist() == [77, 78]


def test_unknown_identifier_is_not_found(context):
    """Item 62: `get` of an unknown identifier raises."""
    with pytest.raises(fastio.NotFoundError, match=r"'x'.*wait with a timeout"):
        context.get("x")
    with pytest.raises(fastio.NotFoundError, match=r"'x'.*in time"):
        context.get("x", timeout=0.05)


@pytest.mark.parametrize("nbytes", [0, -1, 2**63])
def test_size_out_of_bounds_is_refused(context, nbytes):
    """Item 63: `create` with zero or a negative size raises."""
    with pytest.raises(ValueError, match="the size of an allocation"):
        context.create(nbytes)


@pytest.mark.parametrize("nbytes", [1.0, "1", None, True, np.float64(4), np.True_])
def test_size_that_is_no_whole_number_is_refused(context, nbytes):
    with pytest.raises(TypeError, match="the size of an allocation is a whole number"):
        context.create(nbytes)


def test_size_may_be_a_number_of_numpy(context):
    assert context.create(np.int64(10)).nbytes == 10


def test_more_than_there_is_memory_is_refused_before_anything_is_taken(context):
    with pytest.raises(fastio.OutOfMemoryError) as caught:
        context.create(2**50)
    assert caught.value.requested >= 2**50
    assert 0 < caught.value.available < 2**50


def test_taken_name_is_refused(context):
    """Item 64: publishing a second allocation under a taken identifier raises."""
    one, other = context.create(8), context.create(8)
    one.publish("x")
    with pytest.raises(fastio.AlreadyExistsError, match="'x'"):
        other.publish("x")
    assert not other.is_published
    other.publish("y")


def test_allocation_has_one_name(context):
    block = context.create(8)
    block.publish("x")
    with pytest.raises(fastio.AlreadyExistsError, match="published as 'x'"):
        block.publish("y")


@pytest.mark.parametrize("name", ["", "x" * 256, "a\0b"])
def test_name_that_cannot_be_is_not_published(context, name):
    block = context.create(8)
    with pytest.raises(ValueError, match="the name of a"):
        block.publish(name)
    with pytest.raises(TypeError, match="is a str"):
        block.publish(7)


def test_publish_and_get_put_nobody_in_an_order(context, peer):
    """Item 65: no ordering is implied; who comes first gets an error or waits."""
    assert peer.error("context.get('later')").startswith("NotFoundError")
    peer.begin("block = context.get('later', timeout=10)")
    context.create(8).publish("later")
    peer.end()
    assert peer.value("block.nbytes") == 8


def test_get_waits_for_ever_when_it_is_told(context, peer):
    peer.begin("block = context.get('later', timeout=None)")
    context.create(8).publish("later")
    peer.end()


def test_several_references_to_one_resource(context, peer):
    """Item 66: several references can exist, in one or many processes."""
    block = context.create(8, zero=True)
    block.publish("x")
    others = [context.get("x") for _ in range(3)]
    peer.do("references = [context.get('x') for _ in range(3)]")
    with others[0].map("w") as array:
        array[0] = 1
    for other in others:
        other.release()
    with block.map("r") as array:
        assert array[0] == 1
    peer.do("with references[2].map('r') as array: seen = int(array[0])")
    assert peer.value("seen") == 1


def test_memory_lives_until_the_last_reference(context, peer):
    """Items 67 and 72: references of others stay valid after `free`."""
    block = context.create(100_000)
    with block.map("w") as array:
        array[:] = 3
    block.publish("x")
    peer.do("block = context.get('x')")
    block.free()
    peer.do("with block.map('r') as array: seen = int(array.sum())")
    assert peer.value("seen") == 300_000


def test_dropping_the_object_gives_up_its_reference(context):
    """Items 68 and 76: the collector releases; unpublished memory dies with its last reference."""
    block = context.create(8)
    assert [entry.holders for entry in context.entries()] == [(0,)]
    del block
    gc.collect()
    assert [entry.holders for entry in context.entries()] in ([], [()])


def test_release_takes_effect_at_once(context):
    """Item 69: the reference is gone when `release` returns."""
    block = context.create(8)
    block.publish("x")
    block.release()
    assert [entry.holders for entry in context.entries()] == [()]


def test_release_keeps_nobody_from_getting_it(context, peer):
    """Item 70: others can still get the resource."""
    block = context.create(8, zero=True)
    block.publish("x")
    block.release()
    assert peer.value("context.get('x').nbytes") == 8


def test_freed_memory_is_found_nowhere(context, peer):
    """Item 71: after `free`, `get` fails everywhere."""
    block = context.create(8)
    block.publish("x")
    block.free()
    with pytest.raises(fastio.NotFoundError):
        context.get("x")
    assert peer.error("context.get('x')").startswith("NotFoundError")
    assert "x" not in context
    assert len(context) == 0


def test_mappings_of_others_stay_valid_after_free(context, peer):
    """Item 73: mappings held by others remain valid."""
    block = context.create(8, zero=True)
    block.publish("x")
    peer.do("mapping = context.get('x').map('w')")
    block.free()
    peer.do("mapping.array[:] = 5; seen = mapping.array.tolist(); mapping.close()")
    assert peer.value("seen") == [5] * 8


def test_name_can_be_used_again_after_free(context, peer):
    for value in range(3):
        block = context.create(8)
        with block.map("w") as array:
            array[:] = value
        block.publish("x")
        peer.do("with context.get('x').map('r') as array: seen = int(array[0])")
        assert peer.value("seen") == value
        block.free()


def test_memory_goes_back_when_nobody_refers_to_it(context_name):
    """Item 74: it goes back to the system; here with the context, whose pool may keep it."""
    before = leaks.held_by_this_run()
    with fastio.create_context(context_name) as context:
        block = context.create(1 << 20)
        block.publish("x")
        mapping = block.map("w")
        array = mapping.array
        block.free()
        mapping.close()
    assert leaks.held_by_this_run() - before
    del array
    assert not leaks.wait_until_given_back(before)


def test_published_memory_outlives_its_producer(context, new_peer):
    """Item 75: it outlives the producer's release and the producer's process."""
    producer = new_peer()
    producer.do("block = context.create(8)")
    producer.do("with block.map('w') as array: array[:] = 6")
    producer.do("block.publish('x'); block.release()")
    producer.kill()
    with context.get("x").map("r", timeout=10) as array:
        assert array.tolist() == [6] * 8


@pytest.mark.parametrize("end", ["release", "free"])
@pytest.mark.parametrize(
    "use",
    [
        lambda block: block.map("r"),
        lambda block: block.unmap(),
        lambda block: block.publish("y"),
        lambda block: block.set_type_and_dimensions("u8", (1,)),
        lambda block: block.release(),
        lambda block: block.free(),
        lambda block: block.name,
        lambda block: block.shape,
        lambda block: block.nbytes,
        lambda block: block.dtype,
        lambda block: block.is_published,
    ],
)
def test_given_up_reference_refuses_everything(context, end, use):
    """Item 77: any use after own release or free raises."""
    block = context.create(8)
    block.publish("x")
    getattr(block, end)()
    with pytest.raises(fastio.ClosedError, match=r"'x'.*was released or freed here"):
        use(block)
    assert "'x'" in repr(block)


def test_type_and_dimensions_describe_the_bytes(context, peer):
    """Items 78 and 79: they can be set, and the consumer sees what the producer has set."""
    block = context.create(4 * 12)
    block.set_type_and_dimensions("f32", (3, 4))
    assert block.shape == (3, 4)
    assert block.dtype == np.float32
    with block.map("w") as array:
        assert array.shape == (3, 4)
        array[:] = 1.5
    block.publish("x")
    peer.do("block = context['x']")
    assert peer.value("[str(block.dtype), block.shape, block.nbytes]") == ["float32", [3, 4], 48]
    peer.do("with block.map('r') as array: seen = float(array.sum())")
    assert peer.value("seen") == 18.0


def test_description_after_publishing_is_seen_as_well(context, peer):
    block = context.create(64)
    block.publish("x")
    block.set_type_and_dimensions("int16", (2, 16))
    assert peer.value("[context['x'].shape, str(context['x'].dtype)]") == [[2, 16], "int16"]


def test_description_that_needs_more_bytes_is_refused(context):
    """Item 80: type and dimensions that need more bytes than there are are refused."""
    block = context.create(1 << 20)
    with pytest.raises(fastio.ShapeError, match="needs 8388608"):
        block.set_type_and_dimensions("f64", (1 << 20,))
    assert block.shape == (1 << 20,)
    assert block.dtype == np.uint8


@pytest.mark.parametrize("shape", [(-1,), (None,), (2**62, 2**62), (1,) * 33, (2**63,)])
def test_description_that_is_no_shape_is_refused(context, shape):
    with pytest.raises((fastio.ShapeError, TypeError)):
        context.create(64).set_type_and_dimensions("u8", shape)


def test_two_objects_of_one_allocation_share_its_lock(context):
    block = context.create(8)
    block.publish("x")
    other = context.get("x")
    with block.map("w"), pytest.raises(fastio.LockConflictError):
        other.map("w")
