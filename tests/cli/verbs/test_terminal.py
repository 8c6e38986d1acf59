# SPDX-License-Identifier: Apache-2.0
"""What is drawn in a terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys

import pytest
from rich.console import Console

from clara_fastio.cli.follow import draw
from clara_fastio.platform import (
    Job,
    JobPriority,
    JobState,
    JobStatus,
    OperatorDetails,
    OperatorStatus,
)

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def in_terminal(clara, *arguments):
    """Run a command that has a terminal of its own; gives its exit code and all it wrote."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "clara_fastio.cli", *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=clara.folder,
            env={**clara.environment, "TERM": "xterm-256color"},
        )
        os.close(theirs)
        return process.wait, read_all(ours)
    finally:
        os.close(ours)


def read_all(terminal):
    text = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Nobody has it open any more.
            return text.decode(errors="replace")
        text += part


def test_a_job_is_drawn_while_it_runs_and_stays_when_it_has_ended(clara, pipeline):
    wait, text = in_terminal(
        clara, *("create", "job", "-n", "drawn", "-p", pipeline, "-f", "input", "-s", "--follow")
    )
    assert wait(timeout=30) == 0
    assert "\x1b[?25l" in text  # The cursor is hidden while something is drawn ...
    assert "\x1b[?25h" in text  # ... and comes back.
    lines = [line.split() for line in ESCAPES.sub("", text).splitlines()]
    last = len(lines) - 1 - lines[::-1].index(["OPERATOR", "STATUS", "STARTED", "TOOK"])
    assert [line[:2] for line in lines[last + 2 : last + 4]] == [
        ["shout", "completed"],
        ["repeat", "completed"],
    ]


def test_a_transfer_is_summed_up(clara):
    payload = clara("create", "payload", "-q").strip()
    wait, text = in_terminal(clara, "upload", payload, "input")
    assert wait(timeout=30) == 0
    assert "1 file, 9 B" in ESCAPES.sub("", text)
    wait, text = in_terminal(clara, "upload", payload, "input", "--resume")
    assert wait(timeout=30) == 0
    assert "0 files, 0 B, 1 file there already" in ESCAPES.sub("", text)


def test_names_of_others_do_not_move_the_cursor(clara, pipeline):
    evil = "evil \x1b[2J\x1b]0;title\x07 text"
    job = clara("create", "job", "-n", "x", "-p", pipeline, "-m", f"key={evil}", "-q").strip()
    wait, text = in_terminal(clara, "describe", "job", job)
    assert wait(timeout=30) == 0
    assert "evil \N{REPLACEMENT CHARACTER}[2J" in text
    assert "\x1b[2J" not in text
    assert "\x07" not in text
    assert "\x1b" not in clara("describe", "job", job)


def job_of(*statuses):
    operators = tuple(
        OperatorDetails(name=f"operator-{number}", status=status)
        for number, status in enumerate(statuses)
    )
    return Job(
        id="a" * 32,
        name="large",
        pipeline_id="b" * 32,
        payload_id="c" * 32,
        state=JobState.RUNNING,
        status=JobStatus.HEALTHY,
        priority=JobPriority.NORMAL,
        operators=operators,
    )


@pytest.mark.parametrize(("width", "height"), [(100, 24), (40, 10), (30, 8)])
def test_a_drawing_never_leaves_the_screen(width, height):
    job = job_of(*[OperatorStatus.COMPLETED] * 50, OperatorStatus.RUNNING, OperatorStatus.FAULTED)
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(draw(job, width, height))
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert any("more" in line for line in lines)
    # Who does something goes first.
    assert any("operator-51" in line for line in lines)
