# SPDX-License-Identifier: Apache-2.0
"""Folders of payloads: made, listed, emptied, deleted, swept."""

from __future__ import annotations

import uuid

import pytest

from clara_fastio.errors import InvalidRequestError, NotFoundError
from clara_fastio.platform.payloads.store import PayloadStore


def test_files_are_listed_by_name_with_size_and_mode(shelf):
    shelf.put("b", b"12")
    shelf.put("a/x", b"1", mode=0o100640)
    shelf.put("a/empty")
    found = {file.name: (file.size, file.mode) for file in shelf.store.files(shelf.id)}
    assert found == {"/b": (2, 0o444), "/a/empty": (0, 0o444), "/a/x": (1, 0o640)}


def test_the_files_of_a_job_are_its_input(job_shelf):
    job_shelf.put("a", b"1")
    assert job_shelf.names() == ["/input/a"]
    assert (job_shelf.folder / "input" / "a").read_bytes() == b"1"


def test_what_an_operator_made_is_found(job_shelf):
    folder = job_shelf.folder / "operators" / "segment" / "out"
    folder.mkdir(parents=True)
    (folder / "mask.raw").write_bytes(b"mask")
    assert job_shelf.names() == ["/operators/segment/out/mask.raw"]
    assert job_shelf.get("./operators/segment/out/mask.raw") == b"mask"


def test_a_name_that_is_no_text_is_shown_and_found(job_shelf):
    folder = job_shelf.folder / "operators"
    folder.mkdir()
    (folder / "caf\udce9").write_bytes(b"x")
    assert job_shelf.names() == ["/operators/caf�"]
    assert job_shelf.get("/operators/caf�") == b"x"


def test_a_very_deep_folder_is_listed(job_shelf):
    place = job_shelf.folder / "operators"
    for _ in range(300):
        place /= "deep"
    place.mkdir(parents=True)
    (place / "x").touch()
    assert job_shelf.names() == ["/operators" + "/deep" * 300 + "/x"]


def test_removing_a_file_removes_the_folders_that_it_alone_was_in(shelf):
    shelf.put("a/b/c")
    shelf.put("a/d")
    shelf.store.remove(shelf.id, "/a/b/c")
    assert shelf.names() == ["/a/d"]
    shelf.put("a/b", b"a file where a folder was")
    assert shelf.names() == ["/a/b", "/a/d"]


def test_the_input_of_a_job_stays_when_it_is_empty(job_shelf):
    job_shelf.put("deep/a")
    job_shelf.store.remove(job_shelf.id, "input/deep/a")
    assert [path.name for path in job_shelf.folder.iterdir()] == ["input"]
    assert not list((job_shelf.folder / "input").iterdir())


@pytest.mark.parametrize("name", ["b", "A/X", "a", "a/x/y"])
def test_only_an_exact_name_is_removed(shelf, name):
    shelf.put("a/x")
    with pytest.raises(NotFoundError, match="has no file"):
        shelf.store.remove(shelf.id, name)
    assert shelf.names() == ["/a/x"]


def test_deleting_leaves_nothing(shelf, drafts):
    shelf.put("a/b", b"1")
    shelf.store.delete(shelf.id)
    shelf.store.delete(shelf.id)
    assert not shelf.folder.exists()
    assert not drafts()
    assert shelf.store.usage.total == 0
    with pytest.raises(NotFoundError):
        shelf.get("a/b")


def test_a_folder_that_an_operator_has_locked_is_deleted(shelf, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o500)
    shelf.put("a/b/c", b"1")
    (shelf.folder / "a" / "link").symlink_to(outside)
    for folder in ("a/b", "a"):
        (shelf.folder / folder).chmod(0)
    shelf.store.delete(shelf.id)
    assert not shelf.folder.exists()
    assert outside.stat().st_mode & 0o777 == 0o500


def test_a_sweep_removes_what_nobody_knows_and_counts_the_rest(shelf, tmp_path, drafts):
    shelf.put("a", b"12345")
    shelf.begin().write("half", 0, [b"x" * 100])
    unknown = shelf.store.folder(uuid.uuid4().hex)
    (unknown / "deep").mkdir(parents=True)
    again = PayloadStore(tmp_path / "root")
    assert drafts()
    again.sweep({shelf.id})
    assert not drafts()
    assert not unknown.exists()
    assert again.usage.total == again.usage.size(shelf.id) == 5
    assert shelf.names() == ["/a"]


def test_a_job_is_counted_again_when_it_has_ended(job_shelf):
    (job_shelf.folder / "operators").mkdir()
    (job_shelf.folder / "operators" / "out").write_bytes(b"1234567")
    assert job_shelf.store.recount(job_shelf.id) == 7
    assert job_shelf.store.usage.total == 7
    job_shelf.store.delete(job_shelf.id)
    assert job_shelf.store.usage.total == 0


def test_one_file_fits_whatever_its_case(shelf):
    shelf.put("Folder/Scan.DCM", b"1")
    for name in ("Folder/Scan.DCM", "folder/scan.dcm", "/FOLDER/SCAN.DCM"):
        assert shelf.store.find(shelf.id, name).name == "/Folder/Scan.DCM"


def test_of_several_files_the_exact_one_is_meant(shelf):
    shelf.put("a/scan", b"lower")
    shelf.put("A/Scan", b"upper")
    assert shelf.get("a/scan") == b"lower"
    assert shelf.get("A/Scan") == b"upper"
    with pytest.raises(InvalidRequestError, match=r"'/A/Scan', '/a/scan'; give the exact"):
        shelf.get("A/scan")


def test_a_folder_is_no_second_match(shelf):
    shelf.put("scan", b"file")
    shelf.put("SCAN/x", b"other")
    assert shelf.get("Scan") == b"file"
    assert shelf.get("scan/X") == b"other"


def test_reading_goes_on_when_the_file_is_replaced(shelf):
    shelf.put("a", b"old")
    file = shelf.store.open(shelf.id, "a")
    shelf.put("a", b"newer")
    assert file.read(0, 3) == b"old"
    assert shelf.get("a") == b"newer"
    file.close()
    file.close()
