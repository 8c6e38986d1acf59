# SPDX-License-Identifier: Apache-2.0
"""What is shown of the streams of a job, while it runs and at its end."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from clara_fastio.cli.live import draw
from clara_fastio.runner import RunResult, RunStatus
from clara_fastio.runner.stream_report import StreamEdgeReport, StreamReport

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.workshop import Workshop

DRIVER = """
    from clara_fastio import Driver

    def execute(driver, payload):
        {body}

    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
"""
X = "name: x, type: array, element-type: u8, shape: [4]"
PIPELINE = f"""
    api-version: 1.0.0
    name: frames
    operators:
    - name: camera
      container: {{image: i, command: <camera>}}
      output: [{{{X}, queue: {{depth: 2}}}}, {{name: done, type: i32}}]
    - name: all
      container: {{image: i, command: <all>}}
      input: [{{from: camera, {X}}}]
    - name: last
      container: {{image: i, command: <last>}}
      input: [{{from: camera, {X}, policy: latest}}, {{from: camera, name: done, type: i32}}]
"""


@pytest.fixture
def pipeline(workshop: Workshop) -> Path:
    """A job in which the edge to `last` keeps one frame of 20."""
    make = """for array in payload.outputs["x"].frames(20): array[...] = 1
        with payload.outputs["done"].map() as done: done[0] = 1"""
    take = """print(len(list(payload.inputs["x"].frames())))"""
    for name, body in (("camera", make), ("all", take), ("last", take)):
        workshop.program(name, DRIVER.format(body=body))
    return workshop.define(PIPELINE)


def test_report_has_a_row_for_each_edge_and_says_what_was_lost(
    workshop: Workshop, pipeline: Path
) -> None:
    run = workshop.clara("run", pipeline)
    assert (run.returncode, run.stderr) == (0, "")
    table = run.stdout.partition("Streams, in frames\n")[2].splitlines()
    rows = [line.split() for line in table[1:3]]
    assert [row[:3] for row in rows] == [
        ["camera.x", "all", "block"],
        ["camera.x", "last", "latest"],
    ]
    # Queued, held, taken, dropped, skipped, unread, lost, late.
    assert rows[0][-8:] == ["0", "0", "20", "0", "0", "0", "0", "0"]
    assert rows[1][-8:] == ["0", "0", "1", "19", "0", "0", "0", "0"]
    assert "camera.x to last: of 20 frames 19 dropped by its policy latest" in table


def test_losses_are_said_even_when_all_else_is_quiet(workshop: Workshop, pipeline: Path) -> None:
    run = workshop.clara("run", pipeline, "--quiet")
    assert run.returncode == 0
    assert run.stdout == ""
    assert run.stderr == ("clara: camera.x to last: of 20 frames 19 dropped by its policy latest\n")


def test_json_has_all_counters(workshop: Workshop, pipeline: Path) -> None:
    run = workshop.clara("run", pipeline, "--quiet", "--json")
    result = json.loads(run.stdout)
    (stream,) = result["streams"]
    assert (stream["operator"], stream["produced"], stream["state"]) == ("camera", 20, "finished")
    first, second = stream["edges"]
    assert (first["taken"], first["remark"]) == (20, "")
    assert (second["dropped"], second["accepted"], second["operators"]) == (19, 20, ["last"])
    assert [each["taken"] for each in first["consumers"]] == [20]
    assert first["p99"] >= first["median"] > 0


def edge(name: str, **values: Any) -> StreamEdgeReport:
    counters = dict.fromkeys(
        [
            *("offered", "skipped", "accepted", "taken", "released", "dropped", "unread", "lost"),
            *("late", "queued", "held"),
        ],
        0,
    )
    known = {"policy": "block", "share": None, "deadline": None, "is_open": True, "rate": 1234.5}
    known |= {"median": 2e-6, "p99": 0.0035, "consumers": (), "remark": ""}
    return StreamEdgeReport(name, (name,), **{**counters, **known, **values})


@pytest.mark.parametrize("width", [40, 80, 160])
def test_live_view_shows_rates_latencies_and_losses(width: int) -> None:
    stream = StreamReport(
        *("camera", "x", "open", 4, "block", 16, 100, 0, 0.5, 1234.5),
        (edge("left", dropped=7, lost=3), edge("right", queued=2)),
        "",
    )
    job = RunResult("1", "p", "c", RunStatus.RUNNING, 1.0, None, None, (), (), (stream,), None)
    console = Console(width=width, height=30, record=True, file=io.StringIO())
    console.print(draw(job, 0, width, 30))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= width
    assert "1234.5" in text
    if width >= 80:
        assert "2 us" in text
        assert "3.5 ms" in text
        (left,) = [line.split() for line in text.splitlines() if "left" in line.split()]
        assert "7" in left
        assert "3" in left


@pytest.mark.parametrize("height", [8, 12, 30])
def test_edges_leave_room_for_operators(height: int) -> None:
    edges = tuple(edge(f"taker{number}") for number in range(50))
    stream = StreamReport(*("camera", "x", "open", 4, "block", 16, 100, 0, 0.5, None), edges, "")
    job = RunResult("1", "p", "c", RunStatus.RUNNING, 1.0, None, None, (), (), (stream,), None)
    console = Console(width=100, height=height, record=True, file=io.StringIO())
    console.print(draw(job, 0, 100, height))
    assert len(console.export_text().splitlines()) <= height
