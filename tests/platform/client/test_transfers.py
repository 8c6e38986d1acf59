# SPDX-License-Identifier: Apache-2.0
"""Files and folders on their way to a payload and back."""

from __future__ import annotations

import asyncio
import io
import os
import tracemalloc

import pytest

from clara_fastio import errors
from clara_fastio.platform import AsyncClient, Existing, PayloadFile, PayloadType

MIB = 1 << 20


@pytest.fixture
def payload(client):
    return client.payloads.create(metadata={"Study": "7"})


@pytest.fixture
def folder(tmp_path):
    """Make files of many sizes."""
    top = tmp_path / "scan"
    (top / "series" / "deep").mkdir(parents=True)
    (top / "a.txt").write_text("first")
    (top / "empty").write_bytes(b"")
    (top / "series" / "ä ö.bin").write_bytes(os.urandom(3 * MIB + 5))
    (top / "series" / "deep" / "run.sh").write_text("#!/bin/sh\n")
    (top / "series" / "deep" / "run.sh").chmod(0o755)
    return top


def contents(top):
    return {
        path.relative_to(top).as_posix(): path.read_bytes()
        for path in top.rglob("*")
        if path.is_file()
    }


def names(files):
    return sorted(file.name for file in files)


def test_a_folder_comes_back_as_it_was(client, payload, folder, tmp_path):
    sent = client.payloads.upload(payload, folder)
    assert names(sent.moved) == sorted(contents(folder))
    info = client.payloads.get(payload)
    assert (info.id, info.type, info.job_id) == (payload, PayloadType.REUSABLE, "")
    assert info.metadata == {"Study": "7"}
    assert names(info.files) == sorted(contents(folder))
    assert info.nbytes == sent.nbytes == sum(map(len, contents(folder).values()))
    got = client.payloads.download(payload, tmp_path / "new" / "place")
    assert contents(tmp_path / "new" / "place") == contents(folder)
    assert got.nbytes == sent.nbytes
    assert os.access(tmp_path / "new" / "place" / "series" / "deep" / "run.sh", os.X_OK)
    assert not os.access(tmp_path / "new" / "place" / "a.txt", os.X_OK)


def test_a_part_is_named_from_there_on(client, payload, folder, tmp_path):
    client.payloads.upload(payload, folder)
    for name in ("series", "/series/", "./series"):
        place = tmp_path / name.strip("./") / name.replace("/", "-")
        client.payloads.download(payload, place, name)
        assert contents(place) == contents(folder / "series")


def test_a_single_file_goes_into_a_folder_or_to_a_new_name(client, payload, folder, tmp_path):
    client.payloads.upload(payload, folder / "a.txt")
    client.payloads.download(payload, tmp_path, "a.txt")
    client.payloads.download(payload, tmp_path / "other", "a.txt")
    client.payloads.download(payload, f"{tmp_path}/made/", "a.txt")
    for place in ("a.txt", "other", "made/a.txt"):
        assert (tmp_path / place).read_text() == "first"


def test_an_absent_name_is_not_found(client, payload, tmp_path):
    with pytest.raises(errors.NotFoundError, match="'nothing'"):
        client.payloads.download(payload, tmp_path / "to", "nothing")
    with pytest.raises(errors.NotFoundError, match="missing"):
        client.payloads.upload(payload, tmp_path / "missing")


def test_files_are_written_and_read_without_a_disk(client, payload):
    content = os.urandom(2 * MIB + 1)
    made = client.payloads.write(payload, "deep/data", content)
    assert made == PayloadFile(name="deep/data", size=len(content))
    assert b"".join(client.payloads.read(payload, "deep/data")) == content
    file = io.BytesIO(content)
    file.seek(MIB)
    client.payloads.write(payload, "deep/data", file)
    assert b"".join(client.payloads.read(payload, "deep/data")) == content[MIB:]
    client.payloads.write(payload, "nothing", b"")
    assert list(client.payloads.read(payload, "nothing")) == []


def test_files_and_payloads_are_removed(client, payload):
    client.payloads.write(payload, "one", b"1")
    client.payloads.write(payload, "two", b"2")
    client.payloads.remove(payload, "one")
    assert names(client.payloads.get(payload).files) == ["two"]
    client.payloads.delete(payload)
    with pytest.raises(errors.NotFoundError):
        client.payloads.get(payload)


def test_metadata_of_a_payload(client, payload):
    assert client.payloads.add_metadata(payload, {"A": "1"}) == {"Study": "7", "A": "1"}
    assert client.payloads.remove_metadata(payload, ["study"]) == {"A": "1"}


def test_what_is_there_is_not_overwritten_unasked(client, payload, folder, tmp_path):
    client.payloads.upload(payload, folder)
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "a.txt").write_text("mine")
    with pytest.raises(errors.AlreadyExistsError, match=r"a\.txt"):
        client.payloads.download(payload, tmp_path / "to")
    assert contents(tmp_path / "to") == {"a.txt": b"mine"}
    client.payloads.download(payload, tmp_path / "to", existing=Existing.REPLACE)
    assert contents(tmp_path / "to") == contents(folder)
    with pytest.raises(errors.AlreadyExistsError, match="3 more"):
        client.payloads.upload(payload, folder, existing=Existing.REFUSE)
    with pytest.raises(errors.AlreadyExistsError):
        client.payloads.download(payload, tmp_path / "to", existing="refuse")
    with pytest.raises(ValueError, match="'sometimes'"):
        client.payloads.download(payload, tmp_path / "to", existing="sometimes")


def test_what_was_interrupted_is_resumed(client, payload, folder, tmp_path):
    client.payloads.write(payload, "a.txt", b"FIRST")
    client.payloads.write(payload, "empty", b"not")
    sent = client.payloads.upload(payload, folder, existing=Existing.RESUME)
    assert names(sent.kept) == ["a.txt"]  # The same size is all that is looked at.
    assert b"".join(client.payloads.read(payload, "a.txt")) == b"FIRST"
    place = tmp_path / "to"
    place.mkdir()
    (place / "a.txt").write_text("other")
    (place / "empty").write_text("longer")
    got = client.payloads.download(payload, place, existing=Existing.RESUME)
    assert names(got.kept) == ["a.txt"]
    assert contents(place) == contents(folder) | {"a.txt": b"other"}


def test_progress_is_told_for_each_chunk(client, payload, folder, tmp_path):
    steps = []
    sent = client.payloads.upload(payload, folder, progress=steps.append)
    assert len(steps) >= 7
    assert [step.nbytes for step in steps] == sorted(step.nbytes for step in steps)
    for each in (steps, steps_of_download(client, payload, tmp_path)):
        last = each[-1]
        assert (last.nbytes, last.total_nbytes) == (sent.nbytes, sent.nbytes)
        assert (last.files, last.total_files) == (4, 4)


def steps_of_download(client, payload, tmp_path):
    steps = []
    client.payloads.download(payload, tmp_path / "to", progress=steps.append)
    return steps


def test_a_download_that_ends_early_leaves_nothing_behind(client, payload, folder, tmp_path):
    client.payloads.upload(payload, folder)

    def stop(progress):
        if progress.nbytes > MIB:
            raise InterruptedError("enough")

    with pytest.raises(InterruptedError):
        client.payloads.download(payload, tmp_path / "to", "series", progress=stop)
    assert not [path for path in (tmp_path / "to").rglob("*") if "ä" in path.name]
    assert not list((tmp_path / "to").rglob(".clara-*"))


def test_an_upload_that_ends_early_makes_no_file(client, payload, folder):
    def stop(progress):
        if progress.nbytes > MIB:
            raise InterruptedError("enough")

    with pytest.raises(InterruptedError):
        client.payloads.upload(payload, folder / "series" / "ä ö.bin", progress=stop)
    assert client.payloads.get(payload).files == ()


def test_an_upload_to_nowhere_is_refused_without_reading_all(client, tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(errors.NotFoundError, match="f" * 32):
        client.payloads.upload("f" * 32, tmp_path / "large")


def test_memory_stays_flat(shared_server, tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(200 * MIB)

    async def work():
        async with AsyncClient(shared_server.address) as client:
            payload = await client.payloads.create()
            await client.payloads.upload(payload, tmp_path / "large")
            tracemalloc.start()
            await client.payloads.upload(payload, tmp_path / "large")
            await client.payloads.download(payload, tmp_path / "copy", "large")
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return peak

    assert asyncio.run(work()) < 40 * MIB
    assert (tmp_path / "copy").stat().st_size == 200 * MIB


@pytest.mark.parametrize("kind", ["fifo", "folder link", "bytes"])
def test_what_a_payload_cannot_hold_is_refused(client, payload, folder, kind):
    if kind == "fifo":
        os.mkfifo(folder / "pipe")
    elif kind == "folder link":
        (folder / "link").symlink_to(folder / "series")
    else:
        (folder / os.fsdecode(b"\xff")).write_text("x")
    with pytest.raises(errors.InvalidRequestError):
        client.payloads.upload(payload, folder)
    assert client.payloads.get(payload).files == ()


def test_a_link_to_a_file_is_sent_as_the_file(client, payload, folder):
    (folder / "link").symlink_to(folder / "a.txt")
    client.payloads.upload(payload, folder)
    assert b"".join(client.payloads.read(payload, "link")) == b"first"


def test_links_of_this_machine_do_not_lead_out(client, payload, tmp_path):
    client.payloads.write(payload, "series/one", b"1")
    (tmp_path / "to").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "to" / "series").symlink_to(tmp_path / "outside")
    with pytest.raises(errors.SystemCallError, match="series/one"):
        client.payloads.download(payload, tmp_path / "to")
    assert not list((tmp_path / "outside").iterdir())
