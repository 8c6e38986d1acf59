# SPDX-License-Identifier: Apache-2.0
"""A root goes with its records: no server removes files that its database knows nothing of."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest

from clara_fastio.platform._proto import common_pb2, payloads_pb2
from tests.platform.serving import ServerProgram, Wire


@pytest.fixture
def elsewhere(tmp_path):
    """Name a database that is not in the root."""
    return lambda name: ("--database", f"sqlite:///{tmp_path / name}")


def keep_a_file(server: ServerProgram) -> str:
    """Make a payload with one file; gives its id."""
    with contextlib.closing(server.connect()) as channel:
        wire = Wire(channel)
        payload_id = wire.Payloads.Create().payload_id
        part = payloads_pb2.PayloadsUploadRequest(
            payload_id=payload_id,
            details=payloads_pb2.PayloadFileDetails(name="scan"),
            data=b"1",
        )
        assert wire.Payloads.Upload([part]).header.code == 0
    return payload_id.value


def files_of(server: ServerProgram, payload_id: str) -> list[str]:
    request = payloads_pb2.PayloadsDetailsRequest(
        payload_id=common_pb2.Identifier(value=payload_id)
    )
    with contextlib.closing(server.connect()) as channel:
        return [answer.file.name for answer in Wire(channel).Payloads.Details(request)]


def test_another_database_does_not_empty_the_root(serve, elsewhere):
    server = serve(*elsewhere("right.sqlite"))
    payload_id = keep_a_file(server)
    server.stop()
    with pytest.raises(RuntimeError, match="records of this database know nothing"):
        serve(*elsewhere("wrong.sqlite"))
    assert files_of(serve(*elsewhere("right.sqlite")), payload_id) == ["/scan"]


def test_a_database_is_not_used_with_two_roots(serve, elsewhere, tmp_path):
    serve(*elsewhere("one.sqlite"), root=tmp_path / "first")
    with pytest.raises(RuntimeError, match="belong to another root"):
        serve(*elsewhere("one.sqlite"), root=tmp_path / "second")


def test_a_root_whose_disk_was_lost_is_made_anew(serve, elsewhere, tmp_path):
    server = serve(*elsewhere("one.sqlite"), root=tmp_path / "lost")
    payload_id = keep_a_file(server)
    server.stop()
    mark = (tmp_path / "lost" / ".id").read_text().strip()
    with pytest.raises(RuntimeError, match=f"write {mark} into the file '.id'"):
        serve(*elsewhere("one.sqlite"), root=tmp_path / "new")
    (tmp_path / "new" / ".id").write_text(mark)
    assert files_of(serve(*elsewhere("one.sqlite"), root=tmp_path / "new"), payload_id) == [""]


@pytest.mark.parametrize("folder", ["payloads", "uploads", "logs", "scratch"])
def test_folders_of_somebody_else_are_left_alone(serve, tmp_path, folder):
    mine = tmp_path / "root" / folder / "mine"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    with pytest.raises(RuntimeError, match=f"holds '{folder}/mine'"):
        serve()
    assert mine.read_text() == "precious"


def test_a_server_that_was_killed_at_its_first_start_starts_again(serve, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / ".id").write_text("0" * 32)  # It is written before the records have it.
    keep_a_file(serve(root=root))


@pytest.mark.parametrize("place", ["command line", "file"])
def test_an_empty_name_is_not_the_current_folder(tmp_path, place):
    (tmp_path / "server.yaml").write_text("root: ''")
    options = ["--root", ""] if place == "command line" else ["--config", "server.yaml"]
    command = [sys.executable, "-m", "clara_fastio.cli", "serve", "--port", "0", *options]
    ended = subprocess.run(
        command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 2
    assert "it is empty; name a folder" in ended.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["server.yaml"]
