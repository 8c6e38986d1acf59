# SPDX-License-Identifier: Apache-2.0
"""Deleted payloads whose files the system does not let the server remove."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")

#: Becomes nobody after somebody else has left files in a payload of nobody's.
PROGRAM = """
import asyncio, json, os, sys
from pathlib import Path
from clara_fastio.platform._proto import payloads_pb2
from clara_fastio.platform.payloads.store import PayloadStore
from clara_fastio.platform.records.database import Database
from clara_fastio.platform.services.payloads import PayloadsService

async def main():
    root = Path(sys.argv[1])
    store = PayloadStore(root)
    database = Database(f"sqlite:///{root}/records.sqlite")
    service = PayloadsService(database, store)
    made = await service.create(payloads_pb2.PayloadsCreateRequest(), None)
    folder = store.folder(made.payload_id.value)
    (folder / "ours").mkdir()
    (folder / "ours" / "file").write_text("1")
    for path in (root, *root.rglob("*")):
        os.chown(path, 65534, 65534)
    (folder / "theirs").mkdir(0o755)
    for name in "ab":
        (folder / "theirs" / name).write_bytes(b"x" * 100)
    os.seteuid(65534)
    request = payloads_pb2.PayloadsDeleteRequest(payload_id=made.payload_id)
    answer = await service.delete(request, None)
    left = [str(path.relative_to(root)).split("/", 2)[2:] for path in root.rglob("uploads/*/*")]
    store.sweep(set())
    os.seteuid(0)
    print(json.dumps({"code": answer.header.code, "messages": list(answer.header.messages),
                      "is_there": folder.exists(), "left": left, "used": store.usage.total}))
    service.close()
    database.close()

asyncio.run(main())
"""


def test_what_is_left_is_told_and_a_start_goes_on() -> None:
    root = Path(tempfile.mkdtemp())
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(root)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
    finally:
        shutil.rmtree(root)
    assert told["code"] == 0
    [message] = told["messages"]
    assert "2 files of 200 bytes could not be removed: Permission denied" in message
    assert str(root) not in message
    assert not told["is_there"]
    assert told["left"] == [["theirs"]]
    assert told["used"] == 0
    assert done.stderr.count("could not be removed") == 2
    assert str(root / "uploads") in done.stderr
