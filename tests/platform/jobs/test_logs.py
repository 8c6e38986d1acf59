# SPDX-License-Identifier: Apache-2.0
"""Jobs.ReadLogs, and the files behind it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from clara_fastio.platform.jobs.logs import read_lines
from tests.platform.jobs.office import refused
from tests.platform.jobs.runs import shell, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.platform.jobs.office import Office


def test_both_outputs_are_kept(office: Office) -> None:
    job_id = office.run(shell("echo out; echo err >&2; printf unfinished")).job_id.value
    assert office.log(job_id, "only") == ["out", "err", "unfinished"]


def test_the_runner_has_a_log_without_paths(office: Office) -> None:
    job_id = office.run(shell("exit 5")).job_id.value
    lines = office.log(job_id, "clara-pod-manager")
    assert any("only: execute" in line for line in lines)
    assert any("code 5" in line for line in lines)
    assert "/root" not in "".join(lines)


def test_a_long_log_comes_in_several_messages(office: Office) -> None:
    job_id = office.run(shell("seq 1 100000")).job_id.value
    answers = office.try_log(job_id, "only")
    assert len(answers) > 1
    assert {answer.job_id.value for answer in answers} == {job_id}
    assert {answer.operator_name for answer in answers} == {"only"}
    lines = [line for answer in answers for line in answer.logs]
    assert lines == [str(number) for number in range(1, 100001)]


def test_a_log_can_be_read_while_it_is_written(office: Office) -> None:
    job_id = office.create(office.pipeline(shell("echo begun; exec sleep 60")))
    assert office.log(job_id, "only") == []
    office.start(job_id)
    wait_until(lambda: office.log(job_id, "only") == ["begun"])
    office.cancel(job_id)


def test_unknown_operators_are_named(office: Office) -> None:
    job_id = office.create(office.pipeline(shell("true")))
    assert "clara-pod-manager, only" in refused(office.try_log(job_id, "onyl")[0], -5)
    assert "names no operator" in refused(office.try_log(job_id, "")[0], -3)
    refused(office.try_log(job_id, "../../records.sqlite")[0], -5)


def test_long_lines_are_given_in_pieces(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"short\n" + b"x" * 1_000_000 + b"\nlast")
    lines = [line for chunk in read_lines(log) for line in chunk]
    assert (lines[0], lines[-1]) == ("short", "last")
    assert "".join(lines[1:-1]) == "x" * 1_000_000
    assert max(map(len, lines)) <= 300_000


def test_bytes_that_are_no_text_are_marked(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"a\xff\xfeb\r\nnext\n")
    assert list(read_lines(log)) == [["a\ufffd\ufffdb", "next"]]


def test_what_is_no_file_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "absent", "."):
        assert list(read_lines(tmp_path / name)) == []
