# SPDX-License-Identifier: Apache-2.0
"""Which logs are removed, and when."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from clara_fastio.platform.jobs.log_retention import Retention, remove_old
from tests.platform.jobs.office import Office
from tests.platform.jobs.runs import shell, wait_until
from tests.platform.serving import Wire

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86400


def keep(logs: Path, job_id: str, *, days: float, nbytes: int = 1000) -> None:
    """Make the logs of a job that ended some days ago."""
    folder = logs / job_id
    folder.mkdir()
    (folder / "only.log").write_bytes(b"x" * nbytes)
    for path in (folder / "only.log", folder):
        os.utime(path, (0, time.time() - days * DAY))


def test_old_logs_are_removed(tmp_path: Path) -> None:
    keep(tmp_path, "old", days=8)
    keep(tmp_path, "running", days=9)
    keep(tmp_path, "new", days=6)
    assert remove_old(tmp_path, Retention(days=7), {"running"}) == ["old"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["new", "running"]


def test_a_log_that_is_still_written_is_not_old(tmp_path: Path) -> None:
    keep(tmp_path, "job", days=8)
    (tmp_path / "job" / "other.log").write_text("now\n")
    assert remove_old(tmp_path, Retention(days=7), ()) == []


def test_the_oldest_of_too_many_are_removed(tmp_path: Path) -> None:
    for days in range(1, 6):
        keep(tmp_path, f"day-{days}", days=days)
    assert remove_old(tmp_path, Retention(capacity=2500), {"day-5"}) == ["day-4", "day-3", "day-2"]
    assert remove_old(tmp_path, Retention(capacity=2500), {"day-5"}) == []


def test_the_server_removes_what_is_too_old(serve):
    server = serve("--allow-any-command")
    with server.connect() as channel:
        office = Office(Wire(channel))
        jobs = [office.run(shell("echo hello")).job_id.value for _ in range(2)]
    server.stop()
    folder = server.root / "logs" / jobs[0]
    for path in (*folder.iterdir(), folder):
        os.utime(path, (0, time.time() - 2 * DAY))
    again = serve("--allow-any-command", "--log-days", "1", root=server.root)
    with again.connect() as channel:
        office = Office(Wire(channel))
        wait_until(lambda: not folder.exists())
        assert [office.log(job, "only") for job in jobs] == [[], ["hello"]]


def test_the_log_of_an_operator_has_a_limit(serve):
    server = serve("--allow-any-command", "--log-size", "8192")
    with server.connect() as channel:
        office = Office(Wire(channel))
        job_id = office.run(shell("seq 1 100000")).job_id.value
        lines = office.log(job_id, "only")
    assert (lines[0], lines[-1]) == ("1", "100000")
    assert [line for line in lines if "bytes are left out here" in line]
    assert len(lines) < 30_000
