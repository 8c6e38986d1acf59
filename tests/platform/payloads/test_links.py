# SPDX-License-Identifier: Apache-2.0
"""What operators leave behind never leads out of the payload."""

from __future__ import annotations

import os
import socket

import pytest

from clara_fastio.errors import AlreadyExistsError, NotFoundError


@pytest.fixture
def secret(tmp_path):
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "key").write_bytes(b"secret")
    return folder


@pytest.fixture
def out(job_shelf):
    folder = job_shelf.folder / "operators" / "out"
    folder.mkdir(parents=True)
    (folder / "result").write_bytes(b"1")
    return folder


@pytest.mark.parametrize("name", ["operators/out/key", "operators/out/folder/key", "key", "KEY"])
def test_a_link_is_neither_listed_nor_read(job_shelf, out, secret, name):
    (out / "key").symlink_to(secret / "key")
    (out / "folder").symlink_to(secret)
    (job_shelf.folder / "key").symlink_to(secret / "key")
    (out / "inside").symlink_to("result")
    assert job_shelf.names() == ["/operators/out/result"]
    with pytest.raises(NotFoundError):
        job_shelf.get(name)
    with pytest.raises(NotFoundError):
        job_shelf.store.remove(job_shelf.id, name)
    assert (secret / "key").read_bytes() == b"secret"


def test_an_upload_replaces_a_link_and_not_what_it_shows(job_shelf, secret):
    (job_shelf.folder / "input" / "a").symlink_to(secret / "key")
    job_shelf.put("a", b"new")
    assert job_shelf.get("input/a") == b"new"
    assert (secret / "key").read_bytes() == b"secret"


def test_an_upload_does_not_pass_a_link(job_shelf, secret):
    (job_shelf.folder / "input" / "folder").symlink_to(secret)
    with pytest.raises(AlreadyExistsError, match="leads through a file"):
        job_shelf.put("folder/key", b"new")
    assert (secret / "key").read_bytes() == b"secret"


def test_an_upload_does_not_pass_a_folder_that_became_a_link(job_shelf, secret, drafts):
    job_shelf.put("folder/a", b"1")
    upload = job_shelf.begin()
    upload.write("folder/key", 0, [b"new"])
    upload.flush()
    folder = job_shelf.folder / "input" / "folder"
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(secret)
    with pytest.raises(AlreadyExistsError):
        upload.commit()
    upload.abort()
    assert (secret / "key").read_bytes() == b"secret"
    assert not drafts()


def test_the_input_itself_may_not_be_a_link(job_shelf, secret):
    (job_shelf.folder / "input").rmdir()
    (job_shelf.folder / "input").symlink_to(secret)
    with pytest.raises(AlreadyExistsError):
        job_shelf.put("key", b"new")
    assert (secret / "key").read_bytes() == b"secret"
    assert job_shelf.names() == []


def test_a_pipe_or_socket_is_no_file_and_stops_nobody(job_shelf, out, monkeypatch):
    os.mkfifo(out / "pipe")
    monkeypatch.chdir(out)  # A path of a socket is short.
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        assert job_shelf.names() == ["/operators/out/result"]
        for name in ("pipe", "socket", "PIPE"):
            with pytest.raises(NotFoundError):
                job_shelf.get(f"operators/out/{name}")


def test_a_payload_that_is_deleted_takes_no_linked_file_with_it(job_shelf, out, secret):
    (out / "folder").symlink_to(secret)
    job_shelf.store.delete(job_shelf.id)
    assert (secret / "key").read_bytes() == b"secret"
