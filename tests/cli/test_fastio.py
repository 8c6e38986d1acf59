# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

import clara_fastio
from tests.helpers.workshop import CLARA, PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.workshop import Workshop


@pytest.fixture
def hosted(context_name: str) -> Iterator[str]:
    """Name of a context that holds one variable."""
    with clara_fastio.create_context(context_name) as context:
        variable = context.variable("volume", shape=(None, 4), dtype="uint16")
        variable.update_shape((3, 4))
        variable.allocate()
        with variable.map("w") as array:
            array[...] = 1
        yield context_name


def test_hosted_contexts_are_listed(workshop: Workshop, hosted: str) -> None:
    assert hosted in workshop.clara("fastio", "list").stdout.splitlines()
    assert hosted in json.loads(workshop.clara("fastio", "list", "--json").stdout)


def test_entries_and_processes_are_shown(workshop: Workshop, hosted: str) -> None:
    run = workshop.clara("fastio", "inspect", hosted, "--json")
    assert (run.returncode, run.stderr) == (0, "")
    found = json.loads(run.stdout)
    (entry,) = found["entries"]
    assert (entry["name"], entry["shape"]) == ("volume", [3, 4])
    assert (entry["dtype"], entry["version"]) == ("uint16", 1)
    assert [process["pid"] for process in found["processes"]] == [os.getpid()]
    table = workshop.clara("fastio", "inspect", hosted).stdout
    assert "3x4" in table
    assert str(os.getpid()) in table


@pytest.fixture
def streaming(context_name: str) -> Iterator[str]:
    """Name of a context with a stream that has lost frames."""
    with clara_fastio.create_context(context_name) as context:
        queue = clara_fastio.Queue(depth=2, policy="drop_oldest")
        variable = context.variable("frames", shape=(4,), queue=queue)
        frames = variable.frames(name="screen", deadline=1e-9)
        for array in variable.frames(5):
            array[...] = 1
        assert frames.next().number == 3
        yield context_name


def test_streams_are_shown_with_their_counters(workshop: Workshop, streaming: str) -> None:
    found = json.loads(workshop.clara("fastio", "inspect", streaming, "--json").stdout)
    (stream,) = found["streams"]
    assert (stream["name"], stream["state"], stream["produced"]) == ("frames", "finished", 5)
    (edge,) = stream["edges"]
    assert (edge["name"], edge["accepted"], edge["dropped"], edge["held"]) == ("screen", 5, 3, 1)
    table = workshop.clara("fastio", "inspect", streaming).stdout.partition("Streams\n")[2]
    names, cells = (line.split() for line in table.splitlines()[:2])
    assert names[:4] == ["STREAM", "TO", "POLICY", "FRAMES/S"]
    assert cells[:4] == ["frames", "screen", "drop_oldest", "-"]
    assert cells[-8:] == ["1", "1", "1", "3", "0", "0", "0", "1"]


def test_streams_are_watched(workshop: Workshop, streaming: str) -> None:
    run = workshop.clara("fastio", "top", streaming, "--interval", "0.05", "--count", "2")
    assert (run.returncode, run.stderr) == (0, "")
    rows = [line.split() for line in run.stdout.splitlines() if line.startswith("frames ")]
    assert [row[3] for row in rows] == ["-", "0.0"]


def test_context_that_is_not_there_is_a_clear_message(workshop: Workshop) -> None:
    run = workshop.clara("fastio", "inspect", "no-such-context")
    assert run.returncode == 4
    assert "no-such-context" in run.stderr
    assert "Traceback" not in run.stderr


def test_context_is_hosted_until_it_is_interrupted(workshop: Workshop, context_name: str) -> None:
    with subprocess.Popen(
        [*CLARA, "fastio", "host", context_name, "--capacity", "128"],
        stdout=subprocess.PIPE,
        text=True,
    ) as host:
        try:
            assert host.stdout is not None
            assert host.stdout.readline() == f"hosting {context_name}\n"
            with clara_fastio.open_context(context_name) as context:
                context.create(100).publish("block")
                assert "block" in context
            again = workshop.clara("fastio", "host", context_name)
            assert again.returncode == 5
            host.send_signal(signal.SIGINT)
            assert host.wait(PATIENCE) == 0
        finally:
            host.kill()
    assert context_name not in clara_fastio.list_contexts()
