# SPDX-License-Identifier: Apache-2.0
"""``CLARA_FASTIO_DEBUG=1``: an array is empty after its block, and what it left behind raises."""

from __future__ import annotations

import numpy as np
import pytest

from clara_fastio.testing import debug_mode


@pytest.fixture
def variable(context):
    variable = context.variable("x", shape=(2, 3), dtype="i32")
    with variable.map("w") as array:
        array[:] = 7
    yield variable
    variable.release()


@pytest.fixture(autouse=True)
def _debug():
    with debug_mode():
        yield


@pytest.mark.parametrize("mode", ["r", "w", "r+"])
def test_array_has_no_elements_after_its_block(variable, mode):
    with variable.map(mode) as array:
        assert array.shape == (2, 3)
    assert array.shape == (0, 0)
    assert array.size == 0
    assert not array.flags.writeable
    assert array.tolist() == []
    with pytest.raises(IndexError):
        array[0, 0]
    with pytest.raises(ValueError, match="read-only"):
        array[:] = 1


def test_array_without_dimensions_shows_nothing_of_the_memory(context):
    variable = context.variable("y", dtype="f64")
    with variable.map("w") as array:
        array[...] = 5
    assert array == 0
    with pytest.raises(ValueError, match="read-only"):
        array[...] = 1


def test_array_is_empty_after_a_block_that_failed(variable):
    with pytest.raises(ZeroDivisionError), variable.map("r") as array:
        _ = array[0, 0] + 1 // 0
    assert array.size == 0


def test_array_is_empty_when_the_block_has_committed_itself(variable):
    mapping = variable.map("w")
    with mapping as array:
        array[:] = 1
        mapping.commit()
    assert array.size == 0


@pytest.mark.parametrize(
    "derive",
    [
        lambda array: array[0],
        lambda array: array.T,
        lambda array: array.reshape(6),
        memoryview,
        np.from_dlpack,
        lambda array: array,
        lambda array: [array],
        lambda array: iter(array.flat),
    ],
)
def test_what_was_made_from_the_array_and_lives_raises(variable, derive):
    with (
        pytest.raises(BufferError, match="1 objects made from the array"),
        variable.map("r") as array,
    ):
        derived = derive(array)
    # The lock is given up all the same, and the memory stays.
    with variable.map("w") as other:
        other[:] = 8
    assert array.tolist() == [[8] * 3] * 2
    del derived


@pytest.mark.parametrize("export", [np.asarray, memoryview, np.from_dlpack])
def test_what_was_made_from_the_mapping_and_lives_raises(variable, export):
    mapping = variable.map("r")
    with pytest.raises(BufferError, match="made from the array"), mapping:
        exported = export(mapping)
    assert np.asarray(exported).tolist() == [[7] * 3] * 2


def test_copies_may_live_on(variable):
    with variable.map("r") as array:
        total = array.sum()
        copied = array.copy()
        doubled = array * 2
    assert total == 42
    assert copied.tolist() == [[7] * 3] * 2
    assert doubled.tolist() == [[14] * 3] * 2


def test_name_that_was_bound_anew_still_shows_valid_memory(context):
    """It goes unnoticed, so it must not be dangerous."""
    variable = context.variable("y", shape=(100_000,))
    with variable.map("w") as array:
        array[:] = 7
        array = array[10:]  # noqa: PLW2901 - this is the case
    mapping = variable.map("r")
    with mapping as other:
        view = memoryview(other)
        del other
    variable.release()
    assert (array == 7).all()
    assert view[5] == 7


def test_error_of_the_block_is_not_replaced(variable):
    with pytest.raises(ZeroDivisionError) as caught, variable.map("r") as array:  # noqa: PT012
        part = array[0]
        _ = 1 // 0
    assert any("made from the array" in note for note in caught.value.__notes__)
    assert part.tolist() == [7, 7, 7]


def test_close_without_a_block_leaves_the_array(variable):
    mapping = variable.map("r")
    array = mapping.array
    mapping.close()
    assert array.tolist() == [[7] * 3] * 2


def test_without_debug_mode_the_array_stays(variable):
    with debug_mode(enabled=False), variable.map("r") as array:
        part = array[1]
    assert array.tolist() == [[7] * 3] * 2
    assert part.tolist() == [7, 7, 7]


@pytest.mark.parametrize(("value", "size"), [("1", 0), ("TRUE", 0), ("0", 6), ("", 6)])
def test_environment_turns_it_on(run_program, value, size):
    program = run_program(
        """
        from clara_fastio.testing import temporary_context
        with temporary_context() as context:
            with context.variable("x", shape=(2, 3)).map("w") as array:
                pass
            print(array.size, flush=True)
        """,
        environment={"CLARA_FASTIO_DEBUG": value},
    )
    program.expect(str(size))
    program.finish()
