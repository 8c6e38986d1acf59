# SPDX-License-Identifier: Apache-2.0
"""Operators that hand each other frames while they run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clara_fastio.runner import OperatorState, RunStatus

if TYPE_CHECKING:
    from clara_fastio.runner import RunResult
    from clara_fastio.runner.stream_report import StreamEdgeReport
    from tests.helpers.workshop import Workshop

HEAD = """
    import os, signal, sys, threading, time
    from clara_fastio import Driver

    def wait_for(name):
        while not os.path.exists(name):
            time.sleep(0.005)

    def execute(driver, payload):
{body}

    driver = Driver(execute_handler=execute{more})
    driver.start()
    driver.wait_for_completion()
"""
X = "name: x, type: array, element-type: u32, shape: [4]"
CAMERA = """
        for number, array in enumerate(payload.outputs["x"].frames(50)):
            array[...] = number
"""
COUNT = """
        numbers = [int(frame.array[0]) for frame in payload.inputs["x"].frames()]
        print(len(numbers), numbers == sorted(set(numbers)))
"""


def operator(workshop: Workshop, name: str, body: str, more: str = "") -> None:
    workshop.program(name, HEAD.format(body=body.strip("\n"), more=more))


def pipeline(queue: str = "{depth: 2}", **takers: str) -> str:
    """Write a camera with a stream, and who takes its frames with which wishes."""
    text = f"""
    api-version: 1.0.0
    name: frames
    operators:
    - name: camera
      container: {{image: i, command: <camera>}}
      output: [{{{X}, queue: {queue}}}]"""
    for name, wish in takers.items():
        text += f"""
    - name: {name}
      container: {{image: i, command: <{name}>}}
      input: [{{from: camera, {X}{wish}}}]"""
    return text


def edges(result: RunResult) -> dict[str, StreamEdgeReport]:
    (stream,) = result.streams
    for edge in stream.edges:
        assert edge.offered == edge.accepted + edge.skipped, edge
        assert edge.accepted == edge.taken + edge.dropped + edge.unread + edge.queued, edge
        assert edge.taken == edge.released + edge.held + edge.lost, edge
    return {edge.name: edge for edge in stream.edges}


def test_consumers_execute_while_the_producer_does(workshop: Workshop) -> None:
    mark = workshop.folder / "seen"
    wait = f"            if number == 10: wait_for({str(mark)!r})\n"
    operator(workshop, "camera", CAMERA + wait)
    operator(workshop, "count", COUNT)
    operator(
        workshop,
        "look",
        f"""
        print(payload.inputs["x"].next().number)
        open({str(mark)!r}, "w").close()
        """,
    )
    result = workshop.run(pipeline(count="", look=""))
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.log("count") == "50 True\n"
    assert workshop.log("look") == "0\n"
    (stream,) = result.streams
    assert (stream.operator, stream.output, stream.state) == ("camera", "x", "finished")
    assert (stream.produced, stream.unclaimed, stream.slot_nbytes) == (50, 0, 16)
    found = edges(result)
    assert found["count/x"].taken == found["count/x"].accepted == 50
    assert found["count/x"].remark == ""
    assert found["look/x"].taken == 1
    assert [each.operator for each in found["count/x"].consumers] == ["count"]
    assert {edge.medium for edge in result.edges} == {"stream"}
    assert [(edge.target, edge.versions, edge.nbytes) for edge in result.edges] == [
        ("count", 50, 800),
        ("look", 1, 16),
    ]


def test_frames_wait_for_consumers_that_are_still_loading(workshop: Workshop) -> None:
    mark = workshop.folder / "blocked"
    operator(
        workshop,
        "camera",
        f"""
        x = payload.outputs["x"]
        for number in range(2):
            with x.next() as array:
                array[...] = number
        open({str(mark)!r}, "w").close()
        for array in x.frames(3):
            array[...] = 9
        """,
    )
    operator(workshop, "count", COUNT.replace("len(numbers)", "numbers"), f""",
                    prepare_handler=lambda _: wait_for({str(mark)!r})""")  # fmt: skip
    result = workshop.run(pipeline(count=""))
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.log("count") == "[0, 1, 9, 9, 9] False\n"


def test_group_shares_and_each_consumer_is_counted(workshop: Workshop) -> None:
    operator(workshop, "camera", CAMERA)
    for name in ("left", "right"):
        operator(workshop, name, COUNT)
    result = workshop.run(pipeline(left=", share: both", right=", share: both"))
    assert result.status is RunStatus.SUCCEEDED, result.failure
    counts = [int(workshop.log(name).split()[0]) for name in ("left", "right")]
    assert sum(counts) == 50
    edge = edges(result)["both"]
    assert (edge.share, edge.operators, edge.taken) == ("both", ("left", "right"), 50)
    assert {each.operator: each.taken for each in edge.consumers} == dict(
        zip(("left", "right"), counts, strict=True)
    )
    assert [edge.versions for edge in result.edges] == counts


def test_losses_are_counted_and_said(workshop: Workshop) -> None:
    mark = workshop.folder / "made"
    operator(workshop, "camera", CAMERA + f"        open({str(mark)!r}, 'w').close()\n")
    for name in ("last", "some"):
        operator(workshop, name, f"        wait_for({str(mark)!r})\n" + COUNT)
    result = workshop.run(pipeline(last=", policy: latest", some=", policy: sample(10)"))
    assert result.status is RunStatus.SUCCEEDED, result.failure
    found = edges(result)
    assert (found["last/x"].accepted, found["last/x"].taken, found["last/x"].dropped) == (50, 1, 49)
    assert found["last/x"].remark == "of 50 frames 49 dropped by its policy latest"
    assert (found["some/x"].offered, found["some/x"].skipped) == (50, 45)


def test_nobody_waits_for_an_operator_that_ends_without_a_frame(workshop: Workshop) -> None:
    operator(workshop, "camera", CAMERA)
    operator(workshop, "count", COUNT)
    operator(workshop, "idle", "        pass")
    workshop.shell("shell", "exit 0")
    text = pipeline(count="", idle="", shell="").replace("<shell>}", "<shell>, driver: false}")
    result = workshop.run(text)
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.log("count") == "50 True\n"
    found = edges(result)
    assert found["idle/x"].taken == found["shell/x"].taken == 0
    assert not found["shell/x"].is_open


def test_stream_that_no_operator_takes_holds_nobody_up(workshop: Workshop) -> None:
    operator(workshop, "camera", CAMERA)
    result = workshop.run(pipeline())
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert (result.streams[0].produced, result.streams[0].unclaimed) == (50, 50)
    assert result.losses == ["camera.x: of 50 frames 50 were made when nobody took any"]


def test_consumer_that_is_killed_with_frames_is_the_failure(workshop: Workshop) -> None:
    operator(workshop, "camera", CAMERA)
    operator(
        workshop,
        "count",
        "        kept = [payload.inputs['x'].next() for _ in 'a']; os.kill(os.getpid(), 9)",
    )
    result = workshop.run(pipeline(count=""))
    assert result.failure is not None
    assert (result.failure.operator, result.failure.error) == ("count", "PeerDiedError")
    edge = edges(result)["count/x"]
    assert (edge.taken, edge.lost) == (1, 1)
    assert "1 held by a consumer that died" in edge.remark


def test_producer_outlives_all_who_take_frames(workshop: Workshop) -> None:
    operator(
        workshop, "camera", CAMERA + "        print(payload.outputs['x'].stream.unclaimed > 0)\n"
    )
    operator(workshop, "look", "        payload.inputs['x'].next()")
    result = workshop.run(pipeline(look=""))
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.log("camera") == "True\n"
    (stream,) = result.streams
    assert re.fullmatch(r"of 50 frames \d+ were made when nobody took any", stream.remark)


def test_failure_of_the_producer_is_the_failure_of_the_job(workshop: Workshop) -> None:
    operator(workshop, "camera", CAMERA + "            if number == 20: raise ValueError('film')\n")
    operator(workshop, "count", COUNT)
    result = workshop.run(pipeline(count=""))
    assert result.status is RunStatus.FAILED
    assert result.failure is not None
    assert (result.failure.operator, result.failure.error) == ("camera", "ValueError")
    assert result.streams[0].state in {"left", "died"}


def test_death_of_the_producer_is_not_blamed_on_who_missed_it(workshop: Workshop) -> None:
    operator(workshop, "camera", CAMERA + "            if number == 20: os.kill(os.getpid(), 9)\n")
    operator(workshop, "count", COUNT)
    result = workshop.run(pipeline(count=""))
    assert result.failure is not None
    assert (result.failure.operator, result.failure.error) == ("camera", "PeerDiedError")
    assert "SIGKILL" in result.failure.message
    assert result.streams[0].state == "died"
    assert edges(result)["count/x"].taken == 20


def test_failure_of_a_consumer_is_its_own(workshop: Workshop) -> None:
    operator(workshop, "camera", CAMERA.replace("50", ""))
    operator(
        workshop, "count", "        next(payload.inputs['x'].frames()); raise KeyError('cell')"
    )
    result = workshop.run(pipeline(count=""))
    assert result.failure is not None
    assert (result.failure.operator, result.failure.error) == ("count", "KeyError")
    assert result.operators[0].state in {OperatorState.STOPPED, OperatorState.COMPLETED}


def test_stream_that_is_not_finished_is_missing(workshop: Workshop) -> None:
    workshop.program(
        "camera",
        """
        import clara_fastio

        with clara_fastio.open_context() as context:
            with context["camera/x"].next() as array:
                array[...] = 1
        """,
    )
    operator(workshop, "count", COUNT)
    text = pipeline(count="").replace("<camera>}", "<camera>, driver: false}")
    result = workshop.run(text)
    assert result.failure is not None
    assert result.failure.operator == "camera"
    assert result.failure.message == "it completed without writing 'x' to the end of its stream"


def test_an_operator_takes_frames_when_its_other_inputs_are_complete(workshop: Workshop) -> None:
    operator(workshop, "camera", CAMERA)
    operator(workshop, "dark", "        with payload.outputs['level'].map() as a: a[0] = 5")
    operator(
        workshop, "correct", "        with payload.inputs['level'].map() as a: print(a[0])" + COUNT
    )
    text = pipeline(correct="").replace("}]", "}, {from: dark, name: level, type: i32}]")
    text = (
        text.replace("}}, {from: dark, name: level, type: i32}]", "}}]", 1)
        + """
    - name: dark
      container: {image: i, command: <dark>}
      output: [{name: level, type: i32}]"""
    )
    result = workshop.run(text)
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.log("correct") == "5\n50 True\n"
