# SPDX-License-Identifier: Apache-2.0
"""Hand-made memory in the style of the original."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from clara_fastio.driver import FastIOAllocation, FastIOContext
from clara_fastio.errors import (
    AlreadyExistsError,
    ClosedError,
    ElementTypeError,
    FastIOError,
    LockConflictError,
    NotFoundError,
    ShapeError,
)
from tests.helpers import leaks


@pytest.fixture
def with_context(alone):
    """Give a lone driver's context to a function."""

    def run(function) -> object:
        return alone(lambda payload: function(payload.fastio_context))

    return run


def test_the_context_of_a_payload_makes_allocations(with_context) -> None:
    """Items 55 and 58."""

    def use(context: FastIOContext) -> tuple:
        block = context.create(1000)
        with block.map() as array:
            return isinstance(context, FastIOContext), type(block), block.size, array.nbytes

    is_context, kind, size, nbytes = with_context(use)
    assert is_context
    assert kind is FastIOAllocation
    assert size >= 1000
    assert nbytes >= 1000


def test_fresh_memory_is_zero_even_when_it_was_used_before(with_context) -> None:
    """Part 10, row 20."""

    def use(context: FastIOContext) -> list[int]:
        sums = []
        for _ in range(3):
            block = context.create(1 << 17)
            with block.map("write") as array:
                sums.append(int(array.sum()))
                array[...] = 7
            block.release()
        return sums

    assert with_context(use) == [0, 0, 0]


@pytest.mark.parametrize("size", [0, -1])
def test_memory_of_no_size_is_refused(with_context, size) -> None:
    """Item 63."""
    with pytest.raises(ValueError, match="at least one byte"):
        with_context(lambda context: context.create(size))


def test_a_name_that_is_not_published_is_refused(with_context) -> None:
    """Items 62 and 59."""

    def use(context: FastIOContext) -> None:
        context.create(100)
        context.get("volume")

    with pytest.raises(NotFoundError):
        with_context(use)


def test_a_taken_name_is_refused(with_context) -> None:
    """Item 64."""

    def use(context: FastIOContext) -> None:
        context.create(100).publish("volume")
        context.create(100).publish("volume")

    with pytest.raises(AlreadyExistsError):
        with_context(use)


def test_a_published_allocation_is_the_same_memory(with_context) -> None:
    """Items 60, 61 and 66."""

    def use(context: FastIOContext) -> tuple:
        made = context.create(100)
        assert made.name is None
        made.publish("volume")
        got = context.get("volume")
        made.map("write").array[:3] = 1, 2, 3
        made.unmap()
        return made.name, got.id, got.map("read").array[:3].tolist()

    assert with_context(use) == ("volume", "volume", [1, 2, 3])


@pytest.mark.parametrize("end", [FastIOAllocation.release, FastIOAllocation.free])
def test_a_given_up_reference_cannot_be_used(with_context, end) -> None:
    """Item 77."""

    def use(context: FastIOContext) -> None:
        block = context.create(100)
        block.publish("volume")
        end(block)
        for call in (block.map, block.release, block.free, lambda: block.publish("other")):
            with pytest.raises(FastIOError):
                call()
        with pytest.raises(ClosedError):
            block.map()

    with_context(use)


def test_release_leaves_published_memory_to_others(with_context) -> None:
    """Items 67, 69, 70 and 75."""

    def use(context: FastIOContext) -> int:
        block = context.create(100)
        block.map("write").array[...] = 9
        block.unmap()
        block.publish("volume")
        block.release()
        return int(context.get("volume").map("read").array[0])

    assert with_context(use) == 9


def test_freed_memory_is_not_found_but_those_who_have_it_go_on(with_context) -> None:
    """Items 71 to 73."""

    def use(context: FastIOContext) -> int:
        block = context.create(100)
        block.map("write").array[...] = 9
        block.unmap()
        block.publish("volume")
        before, mapped = context.get("volume"), context.get("volume")
        mapping = mapped.map("read")
        block.free()
        with pytest.raises(NotFoundError):
            context.get("volume")
        return int(before.map("read").array[0]) + int(mapping.array[0])

    assert with_context(use) == 18


def test_type_and_dimensions_are_seen_by_who_gets_the_memory(with_context) -> None:
    """Items 78 and 79."""

    def use(context: FastIOContext) -> tuple:
        block = context.create(4 * 6)
        block.set_type_and_dimensions("f32", [2, 3])
        block.publish("volume")
        got = context.get("volume")
        with got.map("read") as array:
            return got.element_type, got.dimensions, array.dtype, array.shape

    assert with_context(use) == ("float32", [2, 3], np.dtype("float32"), (2, 3))


def test_type_and_dimensions_that_need_more_bytes_are_refused(with_context) -> None:
    """Item 80."""

    def use(context: FastIOContext) -> None:
        block = context.create(100)
        with pytest.raises(ElementTypeError):
            block.set_type_and_dimensions("float23", [2])
        block.set_type_and_dimensions("float32", [1 << 20])

    with pytest.raises(ShapeError):
        with_context(use)


def test_data_cannot_be_changed_after_unmap(with_context) -> None:
    """Item 81."""

    def use(context: FastIOContext) -> None:
        block = context.create(100)
        mapping = block.map("write")
        block.unmap()
        with pytest.raises(ClosedError):
            _ = mapping.array

    with_context(use)


def test_a_read_mapping_is_a_read_only_buffer(with_context) -> None:
    """Item 88."""

    def use(context: FastIOContext) -> tuple:
        mapping = context.create(100).map("read")
        view = memoryview(mapping)
        return view.readonly, mapping.array.flags.writeable

    assert with_context(use) == (True, False)


def test_the_default_is_to_write_what_one_made_and_read_what_one_got(with_context) -> None:
    """Part 10, row 12."""

    def use(context: FastIOContext) -> tuple:
        made = context.create(100)
        made.publish("volume")
        writes = made.map().array.flags.writeable
        made.unmap()
        return writes, context.get("volume").map().array.flags.writeable

    assert with_context(use) == (True, False)


def test_references_and_names_of_a_lone_driver_leave_no_memory(with_context) -> None:
    """Items 68, 74 and 76."""

    def use(context: FastIOContext) -> None:
        context.create(1 << 20).publish("volume")
        context.create(1 << 20).map()

    before = leaks.held_by_this_run()
    with_context(use)
    gc.collect()
    assert not leaks.wait_until_given_back(before)


@pytest.mark.parametrize("member", ["create", "get"])
def test_the_context_cannot_be_used_after_execute(with_context, member) -> None:
    """Item 57."""
    context = with_context(lambda context: context)
    with pytest.raises(ClosedError):
        getattr(context, member)(100)


def test_an_allocation_cannot_be_used_after_execute(with_context) -> None:
    """Item 57."""
    block = with_context(lambda context: context.create(100))
    for call in (block.map, block.unmap, block.release, block.free, lambda: block.size):
        with pytest.raises(ClosedError):
            call()


PRODUCE = """
def produce(driver, payload):
    ctx = payload.fastio_context
    volume = ctx.create(4 * 64 * 64 * 64)
    volume.set_type_and_dimensions("float32", [64, 64, 64])
    buf = volume.map("write")
    np.frombuffer(buf, dtype=np.float32)[:64 ** 3] = 1.0
    volume.unmap()
    volume.publish("ct-volume")
    volume.release()
    return True
run(produce)
"""

CONSUME = """
def consume(driver, payload):
    volume = payload.fastio_context.get("ct-volume")
    data = np.frombuffer(volume.map("read"), dtype=np.float32)
    total = float(data.sum())
    del data
    volume.unmap()
    volume.free()
    return total == 64 ** 3
run(consume)
"""


def test_producer_and_consumer_of_the_original_pass_a_volume(job) -> None:
    """Part 8.2, the second example; items 60, 61, 70, 71 and 75."""
    job.start("producer", PRODUCE).finish()
    assert "ct-volume" in job.context
    job.start("consumer", CONSUME).finish()
    assert "ct-volume" not in job.context


def test_get_of_what_is_not_published_yet_fails_and_with_a_timeout_waits(job) -> None:
    """Items 59, 62 and 65: nothing orders the operators."""
    consumer = job.start(
        "consumer",
        """
def consume(driver, payload):
    refused(errors.NotFoundError, payload.fastio_context.get, "late")
    print("not there", flush=True)
    with payload.fastio_context.get("late", timeout=20).map("read") as array:
        print(array[0])
run(consume)
""",
    )
    consumer.expect("not there")
    block = job.context.create(100)
    with block.map("w") as array:
        array[0] = 7
    block.publish("late")
    assert consumer.finish() == "7\n"


WRITER = """
def write(driver, payload):
    block = payload.fastio_context.get("volume")
    block.map("write").array[0] = 1
    print("mapped", flush=True)
    input()
    block.unmap()
run(write)
"""


@pytest.fixture
def volume(job) -> str:
    """The name of memory that everybody may write."""
    job.context.create(100).publish("volume")
    return "volume"


def test_a_second_writer_fails_at_once_and_can_write_later(job, volume) -> None:
    """Items 82, 83 and 86."""
    writer = job.start("writer", WRITER)
    writer.expect("mapped")
    second = job.start(
        "second",
        """
def write(driver, payload):
    block = payload.fastio_context.get("volume")
    refused(errors.LockConflictError, block.map, "write")
    print("refused", flush=True)
    input()
    block.map("write").array[1] = 2
    block.unmap()
run(write)
""",
    )
    second.expect("refused")
    with pytest.raises(LockConflictError):
        job.context[volume].map("w")
    writer.send()
    writer.finish()
    second.send()
    second.finish()
    with job.context[volume].map("r") as array:
        assert array[:2].tolist() == [1, 2]


@pytest.mark.usefixtures("volume")
def test_one_may_read_beside_a_writer(job) -> None:
    """Items 84 and 85."""
    writer = job.start("writer", WRITER)
    writer.expect("mapped")
    source = """
def read(driver, payload):
    block = payload.fastio_context.get("volume")
    print(block.map("read").array[0], flush=True)
    input()
    block.unmap()
run(read)
"""
    readers = [job.start(f"reader{number}", source) for number in range(2)]
    for reader in readers:
        reader.expect("1")
    for program in (writer, *readers):
        program.send()
        program.finish()


def test_the_lock_of_a_dead_writer_is_given_back(job, volume) -> None:
    """Item 87."""
    writer = job.start("writer", WRITER)
    writer.expect("mapped")
    writer.kill()
    with job.context[volume].map("w", timeout=10) as array:
        array[0] = 5
    reader = job.start(
        "reader",
        """
def read(driver, payload):
    print(payload.fastio_context.get("volume").map("read").array[0])
run(read)
""",
    )
    assert reader.finish() == "5\n"
