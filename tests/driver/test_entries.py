# SPDX-License-Identifier: Apache-2.0
"""Typed outputs of a lone driver, which hosts a context of its own."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clara_fastio.driver import FastIOEntry, PayloadCollection
from clara_fastio.errors import (
    ClosedError,
    NotAllocatedError,
    NotFoundError,
    ShapeError,
)
from tests.driver.job import declare

PRIMITIVES = {
    "uint8": "u8",
    "uint16": "u16",
    "uint32": "u32",
    "uint64": "u64",
    "int8": "i8",
    "int16": "i16",
    "int32": "i32",
    "int64": "i64",
    "float16": "f16",
    "float32": "f32",
    "float64": "f64",
}


@pytest.fixture
def entry(alone):
    """Look at one typed output with a function."""

    def look(function, element_type: str, shape: list[int]) -> object:
        return alone(
            lambda payload: function(payload.fastio_output_entries[0]),
            declare("mask", element_type, shape),
        )

    return look


def test_an_entry_with_fixed_dimensions_has_memory_at_once(entry) -> None:
    """Item 89."""
    assert entry(lambda one: (one.is_allocated, one.is_dynamic), "float32", [3, 224]) == (
        True,
        False,
    )


def test_the_shape_of_a_fixed_entry_cannot_be_updated(entry) -> None:
    """Item 90."""

    def look(one: FastIOEntry) -> list[int]:
        for shape in ([3, 225], [3, 224]):
            with pytest.raises(ShapeError, match="declared as"):
                one.update_shape(shape)
        return one.shape

    assert entry(look, "float32", [3, 224]) == [3, 224]


def test_a_fixed_entry_cannot_be_allocated(entry) -> None:
    """Item 91."""
    with pytest.raises(ShapeError, match="declared as"):
        entry(FastIOEntry.allocate, "float32", [3, 224])


@pytest.mark.parametrize("open_dimension", [-1, 0])
def test_an_entry_with_an_open_dimension_starts_without_memory(entry, open_dimension) -> None:
    """Item 92."""
    found = entry(
        lambda one: (one.is_allocated, one.is_dynamic, one.shape, one.size),
        "uint8",
        [open_dimension, 64],
    )
    assert found == (False, True, [-1, 64], 0)


def test_text_starts_without_memory_and_has_one_dimension_of_bytes(entry) -> None:
    """Item 93."""

    def look(one: FastIOEntry) -> tuple:
        before = (one.is_allocated, one.shape, one.element_type)
        text = "found \N{GREEK SMALL LETTER ALPHA}".encode()
        one.update_shape([len(text)])
        one.allocate()
        memoryview(one.map()).cast("B")[:] = text
        one.unmap()
        return before, bytes(one.map("read")).decode()

    before, text = entry(look, "uint8", [-1])
    assert before == (False, [-1], "uint8")
    assert text == "found \N{GREEK SMALL LETTER ALPHA}"


def test_a_bare_primitive_has_one_element(entry) -> None:
    """Item 94."""
    assert entry(lambda one: (one.shape, one.size), "float32", [1]) == ([1], 4)


def test_open_dimensions_can_change_and_their_indices_are_known(entry) -> None:
    """Item 95."""

    def look(one: FastIOEntry) -> tuple:
        indices = one.dynamic_indices
        one.update_shape([3, 10, 224, 20])
        return indices, one.shape, one.is_dynamic

    assert entry(look, "uint8", [3, -1, 224, -1]) == ([1, 3], [3, 10, 224, 20], True)


@pytest.mark.parametrize("shape", [[4, 10, 224, 20], [3, 10, 225, 20], [3, 10, 224], []])
def test_other_dimensions_cannot_change(entry, shape) -> None:
    """Item 96."""

    def look(one: FastIOEntry) -> list[int]:
        with pytest.raises(ShapeError, match="does not fit"):
            one.update_shape(shape)
        return one.shape

    assert entry(look, "uint8", [3, -1, 224, -1]) == [3, -1, 224, -1]


def test_allocate_works_once_all_dimensions_are_known(entry) -> None:
    """Items 97 and 104."""

    def look(one: FastIOEntry) -> tuple:
        one.update_shape([5, 64])
        before = one.is_allocated
        one.allocate()
        return before, one.is_allocated, one.size, one.size_in_bytes

    assert entry(look, "float64", [-1, 64]) == (False, True, 5 * 64 * 8, 5 * 64 * 8)


def test_allocate_before_that_is_refused(entry) -> None:
    """Item 98."""
    with pytest.raises(ShapeError, match="cannot be allocated"):
        entry(FastIOEntry.allocate, "uint8", [-1, 64])


def test_a_map_before_the_shape_is_known_is_refused(entry) -> None:
    """Item 98."""
    with pytest.raises(NotAllocatedError):
        entry(FastIOEntry.map, "uint8", [-1, 64])


def test_an_allocated_entry_keeps_its_shape(entry) -> None:
    """Part 5.2."""

    def look(one: FastIOEntry) -> list[int]:
        one.update_shape([5, 64])
        one.allocate()
        with pytest.raises(ShapeError, match="has its memory already"):
            one.update_shape([6, 64])
        with pytest.raises(ShapeError, match="has its memory already"):
            one.allocate()
        return one.shape

    assert entry(look, "uint8", [-1, 64]) == [5, 64]


def test_a_map_allocates_when_the_shape_is_complete(entry) -> None:
    """Part 10, row 25."""

    def look(one: FastIOEntry) -> tuple:
        one.update_shape([5, 64])
        shape = one.map().array.shape
        one.unmap()
        return shape, one.is_allocated

    assert entry(look, "uint8", [-1, 64]) == ((5, 64), True)


def test_an_output_can_be_written_and_read(entry) -> None:
    """Item 99."""

    def look(one: FastIOEntry) -> tuple:
        one.map("write").array[...] = 7
        one.unmap()
        with one.map("read") as array:
            return one.access, int(array.sum()), array.flags.writeable

    assert entry(look, "uint8", [4, 4]) == ("rw", 7 * 16, False)


def test_the_name_is_text_and_finds_the_entry(alone) -> None:
    """Item 103 and part 10, rows 26 and 27."""

    def look(payload) -> tuple:
        entries = payload.fastio_output_entries
        assert isinstance(entries, PayloadCollection)
        assert isinstance(entries["REPORT"], FastIOEntry)
        return [one.name for one in entries], entries["report"].shape

    names, shape = alone(look, declare("mask", "uint8", [2]), declare("report", "uint8", [-1]))
    assert names == ["mask", "report"]
    assert shape == [-1]


@pytest.mark.parametrize(("name", "alias"), PRIMITIVES.items())
def test_every_primitive_is_accepted_and_equals_its_alias(entry, name, alias) -> None:
    """Items 104 to 106."""

    def look(one: FastIOEntry) -> tuple:
        with one.map() as array:
            return one.element_type, one.shape, one.size, array.dtype

    found = entry(look, name, [3, 5])
    assert entry(look, alias, [3, 5]) == found
    assert found == (name, [3, 5], math.prod([3, 5]) * np.dtype(name).itemsize, np.dtype(name))


def test_inputs_and_outputs_give_variables_by_name(alone) -> None:
    def look(payload) -> tuple:
        variable = payload.outputs["mask"]
        with variable.map("w") as array:
            array[...] = 3
        with variable.map("r") as array:
            return int(array.sum()), list(payload.outputs)

    assert alone(look, declare("mask", "uint8", [2, 2])) == (12, ["mask"])


def test_outside_a_job_a_typed_input_is_not_there(alone, monkeypatch) -> None:
    monkeypatch.setenv(
        "CLARA_FASTIO_INPUTS",
        '[{"name":"ct","variable":"scanner/ct","element_type":"uint8","shape":[2]}]',
    )
    assert alone(lambda payload: payload.fastio_input_entries[0].name) == "ct"
    with pytest.raises(NotFoundError, match="'scanner/ct'; outside a job nobody feeds"):
        alone(lambda payload: payload.fastio_input_entries[0].shape)
    with pytest.raises(NotFoundError, match="'scanner/ct'"):
        alone(lambda payload: payload.inputs["ct"])


@pytest.mark.parametrize(
    "use",
    [
        lambda one: one.shape,
        lambda one: one.is_allocated,
        lambda one: one.map(),
        lambda one: one.unmap(),
        lambda one: one.allocate(),
        lambda one: one.update_shape([1]),
    ],
)
def test_an_entry_cannot_be_used_after_execute(entry, use) -> None:
    """Item 56."""
    kept = entry(lambda one: one, "uint8", [-1])
    with pytest.raises(ClosedError, match="only while the execute handler runs"):
        use(kept)
