# SPDX-License-Identifier: Apache-2.0
"""Mappings: modes, locks, commit and abort, and their end."""

from __future__ import annotations

import gc
import warnings

import pytest

import clara_fastio as fastio


@pytest.fixture
def variable(context):
    variable = context.variable("x", shape=(4,))
    with variable.map("w") as array:
        array[:] = 1
    yield variable
    variable.release()


MODES = {
    "r": "r",
    "read": "r",
    "w": "w",
    "write": "w",
    "r+": "r+",
    "rw": "r+",
    "read/write": "r+",
    fastio.AccessMode.READ: "r",
    fastio.AccessMode.WRITE: "w",
    fastio.AccessMode.UPDATE: "r+",
}


@pytest.mark.parametrize("mode", MODES)
def test_modes_have_short_and_long_names(variable, mode):
    mapping = variable.map(mode)
    assert mapping.mode == MODES[mode]
    assert mapping.array.flags.writeable == (MODES[mode] != "r")
    mapping.close()


@pytest.mark.parametrize("mode", ["", "x", "R", "wr", "a", "r ", "dirty"])
def test_unknown_mode_is_refused_and_the_known_ones_are_named(variable, mode):
    with pytest.raises(ValueError, match="a mode is one of 'r', 'read', 'w'"):
        variable.map(mode)


@pytest.mark.parametrize("mode", [5, b"r", ["r"], True])
def test_mode_of_another_type_is_refused(variable, mode):
    with pytest.raises(TypeError, match="a mode is a str"):
        variable.map(mode)


def test_data_changes_only_while_it_is_mapped(variable):
    """Item 81: data is changed between map and unmap."""
    mapping = variable.map("r+")
    mapping.array[0] = 9
    variable.unmap()
    assert not mapping.is_open
    with pytest.raises(fastio.ClosedError, match="map again"):
        _ = mapping.array
    with variable.map("r") as array:
        assert array.tolist() == [9, 1, 1, 1]


def test_second_writer_fails_at_once(context, peer):
    """Items 82 and 83: it fails while the first holds it, and is not blocked."""
    context.create(4).publish("x")
    block = context["x"]
    mapping = block.map("w")
    assert peer.error("context['x'].map('w')").startswith("LockConflictError: 'x' is being written")
    mapping.close()
    peer.do("with context['x'].map('w') as array: array[:] = 3")


def test_reading_beside_a_writer_is_allowed_when_it_is_asked_for(context, peer):
    """Item 84: as the original's dirty read; by default the reader is kept out."""
    block = context.create(4, zero=True)
    block.publish("x")
    mapping = block.map("w")
    mapping.array[:] = 7
    assert peer.error("context['x'].map('r')").startswith("LockConflictError")
    peer.do("dirty = context['x'].map('r', dirty=True)")
    assert peer.value("[dirty.is_dirty, dirty.mode, dirty.array.tolist()]") == [True, "r", [7] * 4]
    peer.do("dirty.close()")
    mapping.close()


def test_only_reading_can_be_dirty(variable):
    with pytest.raises(ValueError, match="only reading"):
        variable.map("w", dirty=True)


def test_many_readers_at_once(variable, new_peer):
    """Item 85: many simultaneous read mappings, in one and in many processes."""
    peers = [new_peer() for _ in range(3)]
    for peer in peers:
        peer.do("mappings = [context['x'].map('r') for _ in range(3)]")
    mine = [variable.map("r") for _ in range(3)]
    for peer in peers:
        assert peer.value("[m.array.tolist() for m in mappings]") == [[1] * 4] * 3
        peer.do("for m in mappings: m.close()")
    for mapping in mine:
        mapping.close()
    with variable.map("w") as array:
        array[:] = 2


def test_lock_of_a_dead_writer_is_recovered(context, new_peer):
    """Item 87: its content is torn until it is written anew."""
    block = context.create(4, zero=True)
    block.publish("x")
    victim = new_peer()
    victim.do("mapping = context['x'].map('w'); mapping.array[0] = 1")
    victim.kill()
    with pytest.raises(fastio.LockAbandonedError, match="'x' is torn"):
        block.map("r", timeout=10)
    with pytest.raises(fastio.LockAbandonedError, match="'x' is torn"):
        block.map("r+", timeout=10)
    with block.map("w", timeout=10) as array:
        array[:] = 2
    with block.map("r") as array:
        assert array.tolist() == [2] * 4


def test_read_mapping_is_a_read_only_buffer(variable):
    """Item 88: numpy says so, and so does the buffer."""
    mapping = variable.map("r")
    with pytest.raises(ValueError, match="read-only"):
        mapping.array[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        mapping.array.flags.writeable = True
    with memoryview(mapping) as view:
        assert view.readonly
        assert view.tolist() == [1] * 4
    mapping.close()


def test_leaving_the_block_commits(variable):
    with variable.map("w") as array:
        array[:] = 2
    assert variable.version == 2


def test_leaving_the_block_by_an_exception_aborts(variable, peer):
    mapping = variable.map("r+")
    with pytest.raises(ZeroDivisionError), mapping as array:
        array[0] = 1 / 0
    assert not mapping.is_open
    assert variable.version == 1
    with pytest.raises(fastio.LockAbandonedError):
        variable.map("r")
    assert peer.error("context['x'].map('r')").startswith("LockAbandonedError")
    with variable.map("w") as array:
        array[:] = 3
    peer.do("with context['x'].map('r') as array: seen = array.tolist()")
    assert peer.value("seen") == [3] * 4


def test_commit_ends_the_mapping_with_its_version(variable):
    mapping = variable.map("w")
    mapping.array[:] = 2
    assert mapping.version == 1
    mapping.commit()
    assert mapping.version == 2
    assert mapping.nbytes == 4
    assert not mapping.is_open
    for end in (mapping.commit, mapping.abort, mapping.close):
        end()
    assert variable.version == 2
    assert repr(mapping) == "<Mapping in mode 'w', closed>"


def test_abort_leaves_the_version(variable):
    mapping = variable.map("w")
    mapping.abort()
    mapping.commit()
    assert variable.version == 1
    with pytest.raises(fastio.LockAbandonedError):
        variable.map("r")


def test_commit_and_abort_inside_the_block_are_the_end(variable):
    mapping = variable.map("w")
    with mapping as array:
        array[:] = 4
        mapping.commit()
    assert variable.version == 2
    mapping = variable.map("w")
    with mapping:
        mapping.abort()
    assert variable.version == 2


def test_ending_a_read_never_tears(variable):
    for end in ("commit", "abort", "close"):
        getattr(variable.map("r"), end)()
    with pytest.raises(ZeroDivisionError), variable.map("r"):
        _ = 1 / 0
    with variable.map("r") as array:
        assert array.tolist() == [1] * 4
    assert variable.version == 1


def test_mapping_of_a_reader_tells_what_it_reads(variable):
    mapping = variable.map("r")
    assert mapping.version == 1
    assert mapping.nbytes == 4
    assert mapping.is_open
    assert not mapping.is_dirty
    assert repr(mapping) == "<Mapping of 'x' in mode 'r', version 1>"
    mapping.close()


def test_closed_mapping_cannot_be_entered(variable):
    mapping = variable.map("r")
    mapping.close()
    with pytest.raises(fastio.ClosedError), mapping:
        pass


def test_unmap_closes_the_one_mapping(variable):
    mapping = variable.map("w")
    mapping.array[:] = 5
    variable.unmap()
    assert not mapping.is_open
    assert variable.version == 2
    with pytest.raises(fastio.ClosedError, match="no mapping of this object is open"):
        variable.unmap()


def test_unmap_with_several_open_raises_and_counts_them(variable):
    mappings = [variable.map("r") for _ in range(3)]
    with pytest.raises(fastio.ClosedError, match="3 mappings of this object are open"):
        variable.unmap()
    assert all(mapping.is_open for mapping in mappings)
    mappings[1].close()
    mappings[0].close()
    variable.unmap()
    assert not mappings[2].is_open


def test_unmap_knows_only_the_mappings_of_its_own_object(context, variable):
    other = context["x"]
    mapping = other.map("r")
    with pytest.raises(fastio.ClosedError):
        variable.unmap()
    other.unmap()
    assert not mapping.is_open


def test_mapping_dropped_open_warns_and_aborts(variable):
    def forget():
        variable.map("w").array[:] = 8

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        forget()
        gc.collect()
    (warning,) = caught
    assert warning.category is ResourceWarning
    assert "Mapping of 'x' in mode 'w'" in str(warning.message)
    assert variable.version == 1
    with pytest.raises(fastio.LockAbandonedError):
        variable.map("r")
    with variable.map("w") as array:
        array[:] = 2


@pytest.mark.usefixtures("variable")
def test_mapping_outlives_its_allocation(context):
    mapping = context["x"].map("r")
    gc.collect()
    assert mapping.array.tolist() == [1] * 4
    mapping.close()


def test_no_reader_becomes_a_writer(variable):
    """There is no upgrade: two readers that upgrade would wait for each other."""
    with variable.map("r"), pytest.raises(fastio.LockConflictError, match="this thread"):
        variable.map("r+", timeout=5)
    with variable.map("w"), pytest.raises(fastio.LockConflictError, match="this thread"):
        variable.map("r", timeout=5)


def test_update_keeps_what_was_there(variable):
    with variable.map("r+") as array:
        array[1:3] = 7
    with variable.map("r") as array:
        assert array.tolist() == [1, 7, 7, 1]


def test_array_is_always_the_same_object(variable):
    mapping = variable.map("r")
    assert mapping.array is mapping.array
    mapping.close()


def test_failed_map_leaves_no_lock(context):
    variable = context.variable("y", shape=(None,))
    for _ in range(3):
        with pytest.raises(fastio.NotAllocatedError):
            variable.map("w")
        with pytest.raises(fastio.NotReadyError):
            variable.map("r")
    variable.update_shape((2,))
    with variable.map("w") as array:
        array[:] = 1
