# SPDX-License-Identifier: Apache-2.0
"""Files of a stream appear whole and together, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clara_fastio.errors import AlreadyExistsError, ClosedError, InvalidRequestError


def finish(upload) -> None:
    upload.flush()
    upload.commit()
    upload.settle()


def test_nothing_is_seen_before_the_end(shelf, drafts):
    upload = shelf.begin()
    assert upload.write("a", 0, [b"1", b"23"]) == 3
    assert upload.write("b", 0, []) == 0
    upload.flush()
    assert shelf.names() == []
    assert len(drafts()) == 2
    upload.commit()
    upload.settle()
    assert shelf.names() == ["/a", "/b"]
    assert not drafts()
    assert shelf.store.usage.total == shelf.store.usage.size(shelf.id) == 3


def test_an_aborted_upload_leaves_nothing(shelf, drafts):
    shelf.put("a", b"old")
    upload = shelf.begin()
    upload.write("a", 0, [b"newer"])
    upload.write("deep/b", 0, [b"1"])
    upload.abort()
    upload.abort()
    assert shelf.get("a") == b"old"
    assert [path.name for path in shelf.folder.iterdir()] == ["a"]
    assert not drafts()
    assert shelf.store.usage.total == 3
    with pytest.raises(ClosedError):
        upload.write("a", 0, [b"x"])


def test_a_file_is_replaced_and_counted_once(shelf):
    shelf.put("a", b"12345", mode=0o600)
    shelf.put("a", b"12")
    assert shelf.get("a") == b"12"
    assert shelf.store.find(shelf.id, "a").mode == 0o444
    assert shelf.store.usage.total == 2


def test_parts_of_several_files_may_take_turns(shelf):
    upload = shelf.begin()
    for number in range(5):
        for name in ("a", "./b", "/a"):
            upload.write(name, 0, [b"%d" % number])
    finish(upload)
    assert shelf.get("a") == b"0011223344"
    assert shelf.get("b") == b"01234"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c/d"]), st.lists(st.binary(max_size=5), max_size=3)),
        max_size=12,
    )
)
def test_each_file_is_the_sum_of_its_parts(shelf, parts):
    expected: dict[str, bytes] = {}
    upload = shelf.begin()
    for name, chunks in parts:
        upload.write(name, 0, chunks)
        expected[name] = expected.get(name, b"") + b"".join(chunks)
    finish(upload)
    assert {name: shelf.get(name) for name in expected} == expected


def test_more_buffers_than_one_call_takes(shelf):
    chunks = [bytes([number % 256]) * (number % 7) for number in range(5000)]
    upload = shelf.begin()
    assert upload.write("a", 0, chunks) == sum(map(len, chunks))
    finish(upload)
    assert shelf.get("a") == b"".join(chunks)


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("a", "a/b", "leads through a file"),
        ("a", "a/b/c", "leads through a file"),
        ("a/b", "a", "is a folder"),
        ("a/b/c", "a/b", "is a folder"),
    ],
)
def test_a_file_cannot_be_a_folder_too(shelf, drafts, first, second, why):
    upload = shelf.begin()
    upload.write(first, 0, [b"1"])
    with pytest.raises(AlreadyExistsError, match=why):
        upload.write(second, 0, [b"2"])
    upload.abort()
    shelf.put(first, b"1")
    upload = shelf.begin()
    with pytest.raises(AlreadyExistsError, match=why):
        upload.write(second, 0, [b"2"])
    upload.abort()
    assert shelf.names() == [f"/{first}"]
    assert not drafts()


def test_a_folder_that_comes_into_the_way_lets_no_file_appear(shelf, drafts):
    upload = shelf.begin()
    upload.write("a", 0, [b"1"])
    upload.write("b", 0, [b"1"])
    shelf.put("b/c", b"2")
    upload.flush()
    with pytest.raises(AlreadyExistsError, match="'/b' is a folder"):
        upload.commit()
    upload.abort()
    assert shelf.names() == ["/b/c"]
    assert not drafts()


def test_a_folder_that_was_emptied_meanwhile_comes_back(shelf):
    shelf.put("a/b/old")
    upload = shelf.begin()
    upload.write("a/b/new", 0, [b"1"])
    shelf.store.remove(shelf.id, "a/b/old")
    finish(upload)
    assert shelf.names() == ["/a/b/new"]


def test_a_bad_name_spoils_the_stream_only(shelf, drafts):
    upload = shelf.begin()
    upload.write("a", 0, [b"1"])
    with pytest.raises(InvalidRequestError):
        upload.write("../b", 0, [b"1"])
    upload.abort()
    assert not drafts()
    assert shelf.names() == []


@pytest.mark.parametrize(
    ("given_mode", "mode"),
    [(0, 0o644), (0o755, 0o755), (0o104777, 0o777), (0o200, 0o600), (0o100600, 0o600)],
)
def test_the_mode_is_kept_without_what_endangers(job_shelf, given_mode, mode):
    job_shelf.put("a", b"1", mode=given_mode)
    status = (job_shelf.folder / "input" / "a").stat()
    assert status.st_mode & 0o7777 == mode


def test_an_upload_holds_one_descriptor_however_many_files(shelf):
    upload = shelf.begin()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(200):
        upload.write(f"file {number}", 0, [b"1"])
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
    finish(upload)
    assert len(shelf.names()) == 200
