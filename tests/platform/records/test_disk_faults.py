# SPDX-License-Identifier: Apache-2.0
"""A disk that is full, or fails: an error for the caller, and records as they were."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, json, sys
from pathlib import Path
from clara_fastio.errors import FastIOError
from clara_fastio.platform.records.database import Database
from tests.platform.records.test_database import keep, keys

root, flag = Path(sys.argv[1]), Path(sys.argv[2])
database = Database(f"sqlite:///{root / 'records.sqlite'}")

async def attempt(key, value="v"):
    try:
        await database.write(lambda connection: keep(connection, key, value))
    except FastIOError as error:
        return [type(error).__name__, str(error)]
    return None

async def main():
    answers = [await attempt("before")]
    flag.touch()
    if root.stat().st_dev != root.parent.stat().st_dev:
        number = 0
        while (answer := await attempt(f"filling {number}", "x" * 10_000)) is None:
            number += 1
        answers += [answer, number]
    else:
        answers += [await attempt("meanwhile"), 0]
    flag.unlink()
    if ballast.exists():
        ballast.unlink()
    answers += [await attempt("after"), await database.read(keys)]
    print(json.dumps(answers))

ballast = root / "ballast"
asyncio.run(main())
database.close()
again = Database(f"sqlite:///{root / 'records.sqlite'}")
print(json.dumps(asyncio.run(again.read(keys))))
again.close()
"""


@pytest.fixture
def preload(tmp_path):
    """Compile what makes the disk fail."""
    library = tmp_path / "failing_disk.so"
    source = Path(__file__).with_name("failing_disk.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def run(root, flag, **environment):
    program = subprocess.run(
        [sys.executable, "-c", PROGRAM, root, flag],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
        timeout=50,
    )
    assert program.returncode == 0, program.stderr
    return [json.loads(line) for line in program.stdout.splitlines()]


def test_a_disk_that_fails_loses_nothing_that_was_acknowledged(tmp_path, preload):
    root, flag = tmp_path / "root", tmp_path / "flag"
    root.mkdir()
    answers, reopened = run(root, flag, LD_PRELOAD=str(preload), FAILING_DISK=str(flag))
    before, meanwhile, _, after, keys = answers
    assert before is None
    assert meanwhile[0] == "UnavailableError"
    assert "nothing was changed" in meanwhile[1]
    assert after is None
    assert keys == reopened == ["after", "before"]


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_called_full_and_loses_nothing(tmp_path):
    root, flag = tmp_path / "root", tmp_path / "flag"
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", root], check=True)
    try:
        (root / "ballast").write_bytes(bytes(300_000))
        answers, reopened = run(root, flag)
    finally:
        subprocess.run(["umount", root], check=True)
    before, refused, number, after, keys = answers
    assert before is None
    assert refused[0] == "OutOfMemoryError"
    assert "disk of the records is full" in refused[1]
    assert number > 10
    assert after is None
    assert keys == reopened == sorted(["after", "before", *(f"filling {i}" for i in range(number))])
