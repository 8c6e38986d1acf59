# SPDX-License-Identifier: Apache-2.0
"""Logs that become too long."""

from __future__ import annotations

import contextlib
import re
import resource
from typing import TYPE_CHECKING

from clara_fastio.runner.runtimes.log_file import LogFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.helpers.workshop import Workshop

NOTE = re.compile(
    rb"^\[(\d+) bytes are left out here: the log had become too long\]\n", re.MULTILINE
)


def test_a_short_log_is_what_was_written(tmp_path: Path) -> None:
    with LogFile(tmp_path / "log", 100) as log:
        log.write(b"a\n" * 30)
        log.write(b"b" * 40)
    assert (tmp_path / "log").read_bytes() == b"a\n" * 30 + b"b" * 40


def test_beginning_and_end_stay_and_the_rest_is_counted(tmp_path: Path) -> None:
    lines = [b"line %d\n" % number for number in range(100_000)]
    whole = b"".join(lines)
    path = tmp_path / "log"
    with LogFile(path, 10_000) as log:
        for first in range(0, len(lines), 7):
            log.write(b"".join(lines[first : first + 7]))
            assert path.stat().st_size <= 10_000
    found = path.read_bytes()
    [note] = NOTE.finditer(found)
    head, tail = found[: note.start()], found[note.end() :]
    assert head.startswith(b"line 0\n")
    assert whole.startswith(head)
    assert whole.endswith(tail)
    assert tail.startswith(b"line ")
    assert min(len(head), len(tail)) > 2400
    assert int(note.group(1)) == len(whole) - len(head) - len(tail)
    assert [each.name for each in tmp_path.iterdir()] == ["log"]


def test_lines_without_end_are_cut(tmp_path: Path) -> None:
    with LogFile(tmp_path / "log", 1000) as log:
        for _ in range(100):
            log.write(b"x" * 64)
    found = (tmp_path / "log").read_bytes()
    assert len(found) <= 1000
    assert NOTE.search(found)


def test_who_reads_the_log_meanwhile_is_not_disturbed(tmp_path: Path) -> None:
    with LogFile(tmp_path / "log", 100) as log:
        log.write(b"old\n" * 25)
        with (tmp_path / "log").open("rb") as reader:
            log.write(b"new\n" * 5)
            assert reader.read() == b"old\n" * 25 + b"new\n" * 5


@contextlib.contextmanager
def no_room_above(nbytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_finds_no_room_is_lost_and_told(tmp_path: Path) -> None:
    with LogFile(tmp_path / "log") as log:
        log.write(b"before\n")
        with no_room_above(10):
            log.write(b"lost, " * 10)
            log.write(b"lost too")
        log.write(b"after\n")
        with no_room_above(10):
            log.write(b"the end")
    assert (tmp_path / "log").read_bytes() == (
        b"before\n\n[68 bytes could not be written here]\nafter\n"
        b"\n[7 bytes could not be written here]\n"
    )


def test_a_log_that_cannot_be_shortened_goes_on(tmp_path: Path) -> None:
    with LogFile(tmp_path / "log", 100) as log:
        log.write(b"1\n" * 50)
        with no_room_above(10):
            log.write(b"2\n")
        log.write(b"3\n" * 10)
        (tmp_path / "log.new").mkdir()
        log.write(b"4\n" * 10)
        (tmp_path / "log.new").rmdir()
        log.write(b"5\n")
    found = (tmp_path / "log").read_bytes()
    assert NOTE.search(found)
    assert found.endswith(b"4\n5\n")


def test_an_operator_that_writes_much(workshop: Workshop) -> None:
    workshop.shell("much", "seq 1 200000")
    workshop.run(
        """
        api-version: 1.0.0
        name: much
        operators:
        - name: much
          container: {image: a, command: <much>}
        """,
        log_limit=100_000,
    )
    log = workshop.log("much")
    assert log.startswith("1\n2\n3\n")
    assert log.endswith("\n199999\n200000\n")
    assert len(log) < 170_000
