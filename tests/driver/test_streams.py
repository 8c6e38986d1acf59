# SPDX-License-Identifier: Apache-2.0
"""Inputs and outputs that are handed over frame by frame; each operator is a separate program."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clara_fastio.errors import PeerDiedError
from tests.driver.job import PREAMBLE, declare

X = declare("x", "uint16", [2, 3], "camera/x", queue={"depth": 2})
ROWS = declare("rows", "uint8", [-1, 4], "camera/rows", queue={"max_shape": [5, 4]})


def taking(policy: str = "block", name: str = "viewer/x", *, is_shared: bool = False) -> Any:
    edge = {"name": name, "policy": policy, "is_shared": is_shared, "deadline": None}
    return {key: X[key] for key in ("name", "variable", "element_type", "shape")} | {"edge": edge}


@pytest.fixture
def x(job):
    """The stream, with an edge for an operator `viewer` that is still to come."""
    variable = job.declare(X, producer="camera")
    variable.reserve("viewer/x", role="viewer")
    return variable


def test_frames_go_from_operator_to_operator(job, x) -> None:
    viewer = job.start(
        "viewer",
        """
def execute(driver, payload):
    x = payload.inputs["x"]
    assert x is payload.inputs["X"]
    assert (x.name, x.shape, x.element_type, x.policy) == ("x", (2, 3), "uint16", "block")
    first = x.next()
    print(first.number, first.array[0, 0], bytes(first.header[:2]))
    for frame in x.frames():
        assert not frame.array.flags.writeable
        print(frame.number, frame.array[1, 2])
    assert x.next() is None
run(execute)
""",
        inputs=[taking()],
    )
    camera = job.start(
        "camera",
        """
def execute(driver, payload):
    x = payload.outputs["x"]
    with x.next(header=b"ab") as array:
        array[...] = 7
    for number, array in enumerate(x.frames(4), start=1):
        array[...] = number
run(execute)
""",
        outputs=[X],
    )
    camera.finish()
    assert viewer.finish().split("\n") == ["0 7 b'ab'", "1 1", "2 2", "3 3", "4 4", ""]
    (edge,) = x.stream.edges
    assert (x.stream.state, edge.taken, edge.released, edge.dropped) == ("finished", 5, 5, 0)


def test_loop_without_a_count_ends_with_the_handler(job, x) -> None:
    frames = x.frames(name="test")
    camera = job.start(
        "camera",
        """
def execute(driver, payload):
    for number, array in enumerate(payload.outputs["x"].frames()):
        array[...] = number
        if number == 2:
            return
run(execute)
""",
        outputs=[X],
    )
    x.unreserve("viewer/x", role="viewer")
    assert [int(frame.array[0, 0]) for frame in frames] == [0, 1]
    camera.finish()


def test_stream_that_nobody_touched_is_finished(job, x) -> None:
    job.start("camera", "run(None)", outputs=[X]).finish()
    assert x.stream.state == "finished"


def test_failed_handler_leaves_its_stream_unfinished(job, x) -> None:
    frames = x.frames(name="viewer/x")
    camera = job.start(
        "camera",
        """
def execute(driver, payload):
    for number, array in enumerate(payload.outputs["x"].frames(4)):
        array[...] = number
        if number == 1:
            raise ValueError("out of film")
run(execute)
""",
        outputs=[X],
    )
    assert next(frames).array[0, 0] == 0
    with pytest.raises(PeerDiedError):
        next(frames)
    assert camera.wait() == 3


def test_operator_that_takes_nothing_holds_nobody_up(job, x) -> None:
    job.start("viewer", "run(None)", inputs=[taking()]).finish()
    assert not x.stream.edges[0].is_open


def test_operator_that_goes_early_gives_its_frames_back(job, x) -> None:
    viewer = job.start(
        "viewer",
        """
def execute(driver, payload):
    kept.append(payload.inputs["x"].next().array)
def cleanup(driver):
    print("gone", flush=True)
    sys.stdin.readline()
kept = []
run(execute, cleanup_handler=cleanup)
""",
        inputs=[taking()],
    )
    camera = job.start(
        "camera",
        "run(lambda driver, payload: [None for _ in payload.outputs['x'].frames(9)])",
        outputs=[X],
    )
    viewer.expect("gone")
    camera.finish()
    edge = x.stream.edges[0]
    assert (edge.is_open, edge.taken, edge.accepted) == (False, 1, edge.taken + edge.unread)
    viewer.send()
    viewer.finish()


def test_members_of_a_group_share(job) -> None:
    x = job.declare(X, producer="camera")
    for role in ("one", "two"):
        x.reserve("both", share=True, role=role)
    source = """
def execute(driver, payload):
    frames = [frame.number for frame in payload.inputs["x"].frames()]
    print(*frames)
run(execute)
"""
    entry = taking(name="both", is_shared=True)
    workers = [job.start(role, source, inputs=[entry]) for role in ("one", "two")]
    job.start(
        "camera",
        "run(lambda driver, payload: [None for _ in payload.outputs['x'].frames(20)])",
        outputs=[X],
    ).finish()
    numbers = [[int(text) for text in worker.finish().split()] for worker in workers]
    assert sorted(numbers[0] + numbers[1]) == list(range(20))
    assert all(each == sorted(each) for each in numbers)


def test_shapes_vary_where_they_are_declared_so(job) -> None:
    rows = job.declare(ROWS, producer="camera")
    frames = rows.frames()
    job.start(
        "camera",
        """
def execute(driver, payload):
    rows = payload.outputs["rows"]
    assert rows.shape == (None, 4)
    for count in (5, 0):
        with rows.next(shape=(count, 4)) as array:
            array[...] = count
    refused(errors.ShapeError, lambda: rows.next(shape=(6, 4)))
run(execute)
""",
        outputs=[ROWS],
    ).finish()
    assert [frame.shape for frame in frames] == [(5, 4), (0, 4)]


@pytest.mark.usefixtures("x")
def test_time_limits_and_second_loops_are_told(job) -> None:
    job.start(
        "viewer",
        """
def execute(driver, payload):
    x = payload.inputs["x"]
    frames = x.frames(timeout=0)
    assert x.frames(timeout=0) is frames
    refused(errors.AlreadyExistsError, x.frames)
    refused(errors.LockTimeoutError, lambda: x.next(timeout=0.01))
run(execute)
""",
        inputs=[taking()],
    ).finish()


@pytest.mark.parametrize("action", ["map()", "update_shape([1])", "allocate()"])
def test_entries_of_the_original_refuse_streams(job, x, action) -> None:
    job.start(
        "camera",
        f"""
def execute(driver, payload):
    (entry,) = payload.fastio_output_entries
    try:
        entry.{action}
    except errors.InvalidRequestError as error:
        assert "use payload.outputs['x'].next()" in str(error)
        print("refused")
run(execute)
""",
        outputs=[X],
    ).expect("refused")
    with pytest.raises(ValueError, match=r"next\(\)"):
        x.map("w")


@pytest.mark.usefixtures("x")
def test_streams_are_closed_with_the_payload(job) -> None:
    job.start(
        "camera",
        """
kept = []
def execute(driver, payload):
    kept.append(payload.outputs["x"])
def cleanup(driver):
    refused(errors.ClosedError, kept[0].next)
run(execute, cleanup_handler=cleanup)
""",
        outputs=[X],
    ).finish()


def test_alone_an_output_waits_for_nobody(run_program) -> None:
    source = """
def execute(driver, payload):
    for array in payload.outputs["x"].frames(100):
        array[...] = 1
    print(payload.outputs["x"].stream.unclaimed)
run(execute)
"""
    environment = {"CLARA_FASTIO_OUTPUTS": json.dumps([X])}
    assert run_program(PREAMBLE + source, environment=environment).finish() == "100\n"
