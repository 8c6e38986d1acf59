# SPDX-License-Identifier: Apache-2.0
"""What a context holds, and its end."""

from __future__ import annotations

import contextlib
import gc
import pickle  # noqa: TID251 - refused is what is tested
import warnings
import weakref

import pytest

import clara_fastio as fastio

NAMES_IN_ANY_SCRIPT = ["volume", "名前", "имя", "اسم", "नाम", "🧠", "a/b c.d:e", "é", "x" * 255]
BAD_NAMES = ["", "x" * 256, "é" * 128, "a\0b"]


def test_context_says_who_it_is(context, context_name):
    assert context.name == context_name
    assert context.is_host
    assert context.role == ""
    assert not context.closed
    assert repr(context) == f"<Context '{context_name}', hosted here>"


def test_variables_and_allocations_are_found_by_name_and_kind(context):
    context.variable("volume", shape=(2,))
    block = context.create(16)
    block.publish("block")
    assert type(context["volume"]) is fastio.Variable
    assert type(context["block"]) is fastio.Allocation
    assert "volume" in context
    assert "nothing" not in context
    assert sorted(context) == ["block", "volume"]
    assert len(context) == 2


def test_private_allocation_is_not_counted_among_the_names(context):
    block = context.create(16)
    assert len(context) == 0
    assert list(context) == []
    block.release()


def test_unknown_name_raises_and_says_where_it_was_looked_for(context):
    with pytest.raises(fastio.NotFoundError, match=f"'{context.name}' has nothing named 'x'"):
        context["x"]


@pytest.mark.parametrize("name", NAMES_IN_ANY_SCRIPT)
def test_names_are_of_any_script(context, peer, name):
    variable = context.variable(name, shape=(1,))
    assert variable.name == name
    assert name in context
    assert peer.value("list(context)") == [name]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_cannot_be_are_refused(context, name):
    with pytest.raises(ValueError, match="name of a variable"):
        context.variable(name, shape=(1,))
    with pytest.raises(ValueError, match="name of a"):
        context.get(name)


def test_names_that_have_no_utf8_are_refused(context):
    with pytest.raises(ValueError, match="surrogates not allowed"):
        context.variable("\udc80", shape=(1,))


@pytest.mark.parametrize("name", [None, 5, b"x", ["x"]])
def test_names_of_another_type_are_refused(context, name):
    with pytest.raises(TypeError, match="is a str, not"):
        context.variable(name)
    with pytest.raises(TypeError, match="is a str, not"):
        context[name]
    with pytest.raises(TypeError, match="is a str, not"):
        context.get(name)


def test_entries_list_what_is_there(context):
    volume = context.variable("volume", shape=(None, 4), dtype="f32", order="F")
    volume.update_shape((3, 4))
    with volume.map("w") as array:
        array[:] = 1
    block = context.create(100)
    by_name = {entry.name: entry for entry in context.entries()}
    found = by_name["volume"]
    assert found.kind == "variable"
    assert found.dtype == fastio.ElementType.FLOAT32
    assert found.declared_shape == (None, 4)
    assert found.shape == (3, 4)
    assert found.order == "F"
    assert found.nbytes >= 48
    assert found.version == 1
    assert found.state == "live"
    assert found.producer.startswith("pid ")
    assert found.holders == (0,)
    assert found.writer is None
    assert found.readers == ()
    assert not found.is_frozen
    private = by_name[None]
    assert private.kind == "allocation"
    assert private.state == "unpublished"
    block.release()


def test_entries_say_who_reads_and_who_writes(context):
    volume = context.variable("volume", shape=(4,))
    with volume.map("w"):
        assert context.entries()[0].writer == 0
    with volume.map("r"):
        assert context.entries()[0].readers == (0,)
    assert context.entries()[0].readers == ()


def test_processes_are_listed_with_their_age(context, peer):
    mine, other = context.processes()
    assert other.pid == peer.pid
    assert other.state == "live"
    assert other.slot != mine.slot
    assert 0 <= other.age <= mine.age < 60


def test_capacity_is_a_limit_that_is_named(context_name):
    with fastio.create_context(context_name, capacity=3) as context:
        for i in range(3):
            context.variable(f"v{i}", shape=(None,))
        with pytest.raises(fastio.OutOfMemoryError, match="3"):
            context.variable("one too many", shape=(None,))


def test_memory_limit_is_kept_and_the_error_holds_the_numbers(context_name):
    with (
        fastio.create_context(context_name, memory_limit=4 << 20) as context,
        pytest.raises(fastio.OutOfMemoryError) as caught,
    ):
        context.create(64 << 20)
    assert caught.value.requested >= 64 << 20
    assert 0 <= caught.value.available <= 4 << 20
    assert isinstance(caught.value, MemoryError)


@pytest.mark.parametrize("capacity", [0, -1, 2**20 + 1])
def test_capacity_out_of_bounds_is_refused(capacity):
    with pytest.raises(ValueError, match=r"capacity of a context lies between 1 and 1048576"):
        fastio.create_context(capacity=capacity)


@pytest.mark.parametrize("capacity", [True, 10.0, "10"])
def test_capacity_that_is_no_whole_number_is_refused(capacity):
    with pytest.raises(TypeError, match="is a whole number, not"):
        fastio.create_context(capacity=capacity)


@pytest.mark.parametrize("limit", [0, -5])
def test_memory_limit_that_allows_nothing_is_refused(limit):
    with pytest.raises(ValueError, match="memory limit"):
        fastio.create_context(memory_limit=limit)


def test_only_the_host_declares_for_others(context, peer):
    message = peer.error("context.declare('x', (1,), 'u8', producer='a')")
    assert message.startswith("ReadOnlyError: only the host")
    assert "x" not in context


def test_closing_twice_is_fine(context):
    context.close()
    context.close()
    assert context.closed
    assert repr(context) == f"<Context '{context.name}', closed>"


@pytest.mark.parametrize(
    "use",
    [
        lambda context: context.variable("x"),
        lambda context: context.declare("x", (1,), "u8"),
        lambda context: context["x"],
        lambda context: "x" in context,
        list,
        len,
        lambda context: context.create(10),
        lambda context: context.get("x"),
        lambda context: context.connection("a"),
        lambda context: context.adopt(0, "a"),
        lambda context: context.entries(),
        lambda context: context.processes(),
    ],
)
def test_closed_context_refuses_everything(context, use):
    """Item 57: the context is unusable after its end."""
    context.close()
    with pytest.raises(fastio.ClosedError, match="closed in this process"):
        use(context)


def test_leaving_the_block_closes_even_when_it_fails(context_name):
    with pytest.raises(ZeroDivisionError), fastio.create_context(context_name) as context:
        _ = 1 / 0
    assert context.closed


def test_objects_of_a_closed_context_raise_and_its_arrays_live_on(context):
    variable = context.variable("x", shape=(3,))
    with variable.map("w") as array:
        array[:] = 5
    mapping = variable.map("r")
    array = mapping.array
    context.close()
    assert array.tolist() == [5, 5, 5]
    mapping.close()
    with pytest.raises(fastio.ClosedError):
        variable.map("r")


def test_constructors_name_the_functions_to_call():
    with pytest.raises(TypeError, match="use create_context"):
        fastio.Context()
    with pytest.raises(TypeError, match=r"use Context\.create"):
        fastio.Allocation()
    with pytest.raises(TypeError, match=r"use Context\.variable"):
        fastio.Variable()
    with pytest.raises(TypeError, match="use the map"):
        fastio.Mapping()


@pytest.mark.parametrize(
    "make", [fastio.Context, fastio.Allocation, fastio.Variable, fastio.Mapping]
)
def test_half_made_objects_raise_but_do_not_crash(make):
    half = make.__new__(make)
    assert repr(half).startswith(f"<{make.__name__}")
    for name in dir(half):
        if not name.startswith("__"):
            with contextlib.suppress(TypeError, ValueError):
                getattr(half, name)()


def test_handles_are_not_pickled(context):
    variable = context.variable("x", shape=(1,))
    mapping = variable.map("w")
    for handle in (context, variable, mapping):
        with pytest.raises(TypeError, match="pickle"):
            pickle.dumps(handle)
    mapping.close()


def test_context_dropped_open_warns_with_its_place_and_closes(context_name):
    def forget():
        fastio.create_context(context_name)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        forget()
        gc.collect()
    (warning,) = caught
    assert warning.category is ResourceWarning
    assert context_name in str(warning.message)
    assert "test_context.py" in str(warning.message)
    assert context_name not in fastio.list_contexts()


def test_context_lives_as_long_as_what_came_from_it(context_name):
    variable = fastio.create_context(context_name).variable("x", shape=(2,))
    gc.collect()
    with variable.map("w") as array:
        array[:] = 1
    mapping = variable.map("r")
    variable.release()
    assert mapping.array.tolist() == [1, 1]
    mapping.close()
    fastio.open_context(context_name).close()


def test_objects_can_be_referred_to_weakly(context):
    variable = context.variable("x", shape=(2,))
    assert weakref.ref(variable)() is variable
    assert weakref.ref(context)() is context
