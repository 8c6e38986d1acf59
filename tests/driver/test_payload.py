# SPDX-License-Identifier: Apache-2.0
"""Entries on disk."""

from __future__ import annotations

import json
import os
import pathlib

import pytest

from clara_fastio.driver import Driver, PayloadCollection, PayloadEntry
from clara_fastio.errors import ClosedError, DriverError, NotFoundError


@pytest.fixture
def look(run_driver, monkeypatch):
    """Run a driver with the given paths and hand its payload to a function."""

    def run(function, inputs: str = "", outputs: str = "") -> object:
        monkeypatch.setenv("NVIDIA_CLARA_INPUTPATHS", inputs)
        monkeypatch.setenv("NVIDIA_CLARA_OUTPUTPATHS", outputs)
        found = []
        driver = run_driver(execute=lambda _, payload: found.append(function(payload)))
        if driver.error is not None:
            raise driver.error.__cause__
        return found[0]

    return run


def test_input_entries_are_all_inputs_on_disk(look) -> None:
    """Items 46 and 122."""
    entries = look(lambda payload: payload.input_entries, inputs="ct:/a/ct;labels:/b/l:1")
    assert list(entries) == [PayloadEntry("ct", "/a/ct"), PayloadEntry("labels", "/b/l:1")]


def test_output_entries_are_all_outputs_on_disk(look) -> None:
    """Items 47 and 122."""
    entries = look(lambda payload: payload.output_entries, "ct:/a", "mask:/m;report:/r;")
    assert [(entry.name, entry.path) for entry in entries] == [("mask", "/m"), ("report", "/r")]


def test_there_may_be_no_entries(look) -> None:
    """Items 46 and 47."""
    assert look(lambda payload: [*payload.input_entries, *payload.output_entries]) == []


def test_entries_are_collections_of_name_and_path_as_text(look) -> None:
    """Items 48 and 49."""
    inputs, outputs = look(
        lambda payload: (payload.input_entries, payload.output_entries), "ct:/a", "mask:/m"
    )
    for entries in (inputs, outputs):
        assert isinstance(entries, PayloadCollection)
        assert isinstance(entries[0], PayloadEntry)
        assert type(entries[0].name) is type(entries[0].path) is str
    with pytest.raises(AttributeError):
        inputs[0].path = "/elsewhere"


def test_a_name_may_be_empty(look) -> None:
    """Items 50 and 123."""
    (entry,) = look(lambda payload: payload.input_entries, inputs=":/input")
    assert (entry.name, entry.path) == ("", "/input")


def test_one_input_and_one_output_may_have_no_name(look) -> None:
    """Item 52."""
    names = look(
        lambda payload: [payload.input_entries[0].name, payload.output_entries[0].name],
        ":/input;ct:/ct",
        ":/output",
    )
    assert names == ["", ""]


@pytest.mark.parametrize("variable", ["NVIDIA_CLARA_INPUTPATHS", "NVIDIA_CLARA_OUTPUTPATHS"])
def test_a_second_entry_without_a_name_is_refused(monkeypatch, variable) -> None:
    """Item 51."""
    monkeypatch.setenv(variable, ":/one;:/two")
    with pytest.raises(DriverError, match="more than one entry has no name"):
        Driver()


@pytest.mark.parametrize("value", ["/input", "name:", "a:/a;b"])
def test_an_entry_without_a_colon_or_path_is_refused(monkeypatch, value) -> None:
    """Item 122."""
    monkeypatch.setenv("NVIDIA_CLARA_INPUTPATHS", value)
    with pytest.raises(DriverError, match="name:path"):
        Driver()


def test_producer_and_consumer_may_see_different_paths(look, tmp_path) -> None:
    """Item 53."""
    (tmp_path / "real").mkdir()
    (tmp_path / "seen").symlink_to(tmp_path / "real")

    def write(payload) -> None:
        pathlib.Path(payload.output_entries[0].path, "scan").write_text("42")

    look(write, outputs=f"scan:{tmp_path}/real")
    text = look(
        lambda payload: pathlib.Path(payload.input_entries["scan"].path, "scan").read_text(),
        inputs=f"scan:{tmp_path}/seen",
    )
    assert text == "42"


def test_a_collection_is_a_sequence(look) -> None:
    """Item 54."""
    entries = look(lambda payload: payload.input_entries, "a:/a;b:/b;c:/c")
    assert len(entries) == 3
    assert entries[0].path == "/a"
    assert entries[-1].path == "/c"
    assert [entry.name for entry in entries[1:]] == ["b", "c"]
    assert [entry.name for entry in reversed(entries)] == ["c", "b", "a"]
    assert PayloadEntry("b", "/b") in entries
    assert PayloadEntry("b", "/elsewhere") not in entries
    with pytest.raises(IndexError):
        entries[3]


def test_a_collection_cannot_be_changed(look) -> None:
    """Item 54."""
    entries = look(lambda payload: payload.input_entries, "a:/a")
    with pytest.raises(TypeError):
        entries[0] = PayloadEntry("b", "/b")
    with pytest.raises(TypeError):
        del entries[0]
    for method in ("append", "insert", "clear", "pop"):
        assert not hasattr(entries, method)


def test_a_collection_finds_by_name_in_any_case(look) -> None:
    """Part 2.2."""
    entries = look(lambda payload: payload.input_entries, "ct:/a;Labels:/b")
    assert entries["ct"].path == "/a"
    assert entries["LABELS"].path == "/b"
    assert "labels" in entries
    assert "mri" not in entries
    with pytest.raises(NotFoundError, match="no entry 'mri'; there are: 'ct', 'Labels'"):
        entries["mri"]


def test_inputs_from_two_operators_may_share_a_name_but_not_be_found_by_it(look) -> None:
    """Part 5.6: an input carries the name of the output that feeds it."""
    entries = look(lambda payload: payload.input_entries, "image:/a;image:/b")
    assert [entry.path for entry in entries] == ["/a", "/b"]
    with pytest.raises(NotFoundError, match="2 entries are named 'image'"):
        entries["image"]


def test_inputs_with_equal_names_are_told_apart_by_their_operators(monkeypatch, look) -> None:
    image = {"name": "image", "element_type": "uint8", "shape": [1], "type": "array"}
    declared = [image | {"variable": f"{name}/image"} for name in ("left", "right")]
    monkeypatch.setenv("CLARA_FASTIO_INPUTS", json.dumps(declared))
    text = look(lambda payload: (repr(payload.inputs), "image" in payload.inputs), "about:/a")
    assert text == ("<Entries 'about', 'left/image', 'right/image'>", False)
    with pytest.raises(NotFoundError, match="there are: 'about', 'left/image', 'right/image'"):
        look(lambda payload: payload.inputs["image"], "about:/a")
    with pytest.raises(NotFoundError, match="the context has no variable 'left/image'"):
        look(lambda payload: payload.inputs["LEFT/image"], "about:/a")


def test_inputs_and_outputs_give_paths_by_name(look) -> None:
    def function(payload) -> tuple:
        inputs, outputs = payload.inputs, payload.outputs
        return (
            inputs["ct"],
            outputs["mask"],
            list(inputs),
            len(outputs),
            outputs.get("no"),
            dict(inputs),
        )

    found = look(function, "ct:/a;:/b", "mask:/m")
    assert found[:2] == (pathlib.Path("/a"), pathlib.Path("/m"))
    assert found[2:5] == (["ct", ""], 1, None)
    assert found[5] == {"ct": pathlib.Path("/a"), "": pathlib.Path("/b")}


def test_inputs_refuse_a_name_that_is_not_there(look) -> None:
    with pytest.raises(NotFoundError, match="no entry 'mri'"):
        look(lambda payload: payload.inputs["mri"], "ct:/a")


@pytest.mark.parametrize(
    "member",
    [
        "inputs",
        "outputs",
        "context",
        "input_entries",
        "output_entries",
        "fastio_context",
        "fastio_input_entries",
        "fastio_output_entries",
    ],
)
def test_no_member_of_a_payload_works_after_execute(look, member) -> None:
    """Item 56."""
    payload = look(lambda payload: payload, "ct:/a", "mask:/m")
    with pytest.raises(ClosedError, match="valid only while the execute handler runs"):
        getattr(payload, member)


def test_what_was_taken_from_a_payload_is_closed_with_it(look) -> None:
    """Items 56 and 57."""
    inputs, context = look(lambda payload: (payload.inputs, payload.fastio_context), "ct:/a")
    with pytest.raises(ClosedError):
        inputs["ct"]
    with pytest.raises(ClosedError):
        context.create(16)
    with pytest.raises(ClosedError):
        context.get("volume")


def test_a_file_is_copied_from_input_to_output(look, tmp_path) -> None:
    """Part 8.2, the first example."""
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    target.mkdir()
    (source / "scan.bin").write_bytes(os.urandom(1000))

    def copy(payload) -> None:
        for entry in payload.input_entries:
            for file in pathlib.Path(entry.path).iterdir():
                (payload.outputs["copy"] / file.name).write_bytes(file.read_bytes())

    look(copy, f":{source}", f"copy:{target}")
    assert (target / "scan.bin").read_bytes() == (source / "scan.bin").read_bytes()
