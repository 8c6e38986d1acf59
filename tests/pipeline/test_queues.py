# SPDX-License-Identifier: Apache-2.0
"""Outputs that are handed over frame by frame, and the edges that take the frames."""

from __future__ import annotations

import textwrap

import pytest

from clara_fastio.pipeline import load_definition
from clara_fastio.pipeline.model import Edge
from clara_fastio.streams import Queue
from tests.pipeline.definitions import check_operator, check_refused, resolve

FIXED = "type: array, element-type: u16, shape: [4, 8]"
OPEN = "type: array, element-type: u16, shape: [-1, 8]"


def pipeline(queue: str, *inputs: str, shape: str = FIXED, version: str = "1.0.0") -> str:
    """Write a camera with a queue, and one operator for each of `inputs`."""
    text = f"""
    api-version: {version}
    name: frames
    operators:
    - name: camera
      container: {{image: i}}
      output: [{{name: x, {shape}, {queue}}}]
    """
    text = textwrap.dedent(text).strip()
    for number, wish in enumerate(inputs):
        text += (
            f"\n- name: take{number}\n  container: {{image: i}}\n"
            f"  input: [{{from: camera, name: x, {shape}{wish}}}]"
        )
    return text + "\n"


QUEUES = [
    ("queue: {}", FIXED, Queue()),
    ("queue: {depth: 126, policy: latest, spin: 0}", FIXED, Queue(126, "latest", spin=0)),
    ("queue: {policy: sample(10), spin: 1e-4}", FIXED, Queue(policy="sample(10)", spin=1e-4)),
    ("queue: {max-shape: [9, 8]}", OPEN, Queue(max_shape=(9, 8))),
]


@pytest.mark.parametrize(("text", "shape", "queue"), QUEUES, ids=lambda case: str(case)[:40])
def test_queue_is_read(text, shape, queue):
    (camera,) = resolve(pipeline(text, shape=shape)).operators
    assert camera.outputs[0].queue == queue


def test_edges_have_the_policy_of_the_queue_or_their_own():
    text = pipeline(
        "queue: {policy: drop_oldest}",
        "",
        ", policy: latest, deadline: 0.5",
        ", share: Work",
        ", share: work",
    )
    _, *takers = resolve(text).operators
    assert [operator.inputs[0].edge for operator in takers] == [
        Edge("take0/x", "drop_oldest"),
        Edge("take1/x", "latest", deadline=0.5),
        Edge("work", "drop_oldest", share="Work"),
        Edge("work", "drop_oldest", share="work"),
    ]
    assert {operator.upstream for operator in takers} == {frozenset({"camera"})}
    assert {operator.awaited for operator in takers} == {frozenset()}


def test_an_operator_awaits_what_is_no_stream():
    text = """
    api-version: 1.0.0
    name: mixed
    operators:
    - name: camera
      container: {image: i}
      output: [{name: x, type: array, element-type: u8, shape: [1], queue: {}}]
    - name: dark
      container: {image: i}
      output: [{name: field, type: f32}]
    - name: correct
      after: [other]
      container: {image: i}
      input:
      - {from: camera, name: x, type: array, element-type: u8, shape: [1]}
      - {from: dark, name: field, type: f32}
    - {name: other, container: {image: i}}
    """
    correct = resolve(text).operators[-1]
    assert correct.upstream == {"camera", "dark", "other"}
    assert correct.awaited == {"dark", "other"}


def output(queue: str, shape: str = FIXED) -> str:
    return f"output: [{{name: x, {shape}, queue: {queue}}}]"


REFUSED = [
    (output("{depth: §0}"), "`depth` of the queue of an output of operator `a`", "1 to 126"),
    (output("{depth: §127}"), "from 1 to 126"),
    (output("{policy: §never}"), "the policy of the queue", "sample(n)"),
    (output("{policy: §sample(0)}"), "found 'sample(0)'"),
    (output("{policy: §lastest}"), "did you mean `latest`?"),
    (output("{spin: §2}"), "a number of seconds from 0 to 1"),
    (output("{spin: §-1}"), "a number of seconds from 0 to 1"),
    (output("§3"), "`queue` of an output of operator `a` is not an object"),
    (output("{max-shape: §[4, 8]}"), "no dimension of [4, 8] is dynamic"),
    (output("§{}", OPEN), "has no `max-shape`", "[-1, 8] does not say how large"),
    (output("{max-shape: §[9, 9]}", OPEN), "found [9, 9], expected [-1, 8] with a size"),
    (output("{max-shape: §[9]}", OPEN), "does not fit the shape"),
    (output("{max-shape: [§-1, 8]}", OPEN), "is not a size", "a whole number of at least 1"),
    (output("{max-shape: §9}", OPEN), "`max-shape`", "write it as [2048, 2048]"),
    (output(f"{{max-shape: §[{10**17}, 8]}}", OPEN), "fits into no memory"),
    ("output: [{name: x, type: f32, queue: §{}}]", "which the type `float32` does not have"),
    (
        "output: [{name: x, type: stream, element-type: e, path: /p, queue: §{}}]",
        "which the type `stream` does not have",
    ),
    ("input: [{name: x, type: stream, element-type: e, path: /p, §queue: 3}]", "is reserved"),
    (
        "input: [{name: x, type: stream, element-type: e, path: /p, policy: §latest}]",
        "the payload of the job has no queue",
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case[0][:90])
def test_queue_is_refused(case):
    text, *messages = case
    for message in messages:
        check_operator(text, message, version="1.0.0")


def test_everything_that_is_wrong_is_said_at_once():
    check_operator(
        output("{depth: §0, policy: §no, spin: §x}"), "depth", "policy", "spin", version="1.0.0"
    )


WISHES = [
    (
        "policy: §latest",
        "its output has no queue",
        "declare a `queue` at the output in main.yaml:6",
    ),
    ("share: §g", "has `share`, but its output has no queue"),
    ("deadline: §1", "has `deadline`, but its output has no queue"),
]


@pytest.mark.parametrize("case", WISHES, ids=lambda case: case[0])
def test_edge_without_a_queue_has_no_wishes(case):
    wish, *messages = case
    for message in messages:
        check_refused(pipeline("memory: host", f", {wish}"), message)


EDGES = [
    ((", policy: §no",), "the policy of an input of operator `take0` is unknown"),
    ((", deadline: §0",), "is not a number of seconds above 0"),
    ((", share: §a b",), "breaks the rule for names"),
    ((", share: g", ", share: g, policy: §latest"), "do not agree on `policy`"),
    ((", share: g, policy: latest", ", share: §g"), "found block, expected latest as operator"),
    ((", share: g, deadline: 1", ", share: G, deadline: §2"), "found 2.0, expected 1.0"),
    ((", share: §take1", ""), "is also that of another edge of this stream"),
]


@pytest.mark.parametrize("case", EDGES, ids=str)
def test_edge_is_refused(case):
    inputs, message = case
    check_refused(pipeline("queue: {}", *inputs), message)


def test_operator_takes_a_stream_once():
    again = f"}}, {{from: §camera, name: X, {FIXED}"
    check_refused(pipeline("queue: {}", again), "operator `take0` takes the same stream twice")


def test_types_of_frames_match_as_all_types_do():
    text = pipeline("queue: {}", "").replace("take0", "take").split("\n")
    text[-2] = text[-2].replace("type: array", "type: §array").replace("[4, 8]", "[4, 9]")
    check_refused("\n".join(text), "dimension 1 differs")


def test_before_their_version_they_are_no_properties():
    text = pipeline("§queue: {depth: 0}", ", §policy: x, §share: 3, §deadline: 0", version="0.7.0")
    check_refused(text, *["is not a property of this version"] * 4)


WAITS = """
    api-version: 1.0.0
    name: circle
    operators:
    - name: camera
      container: {image: i}
      output:
      - {name: x, type: array, element-type: u8, shape: [1], queue: {}}
    - name: count
      container: {image: i}
      input: [{from: camera, name: x, type: array, element-type: u8, shape: [1]}]
      output: [{name: total, type: i64}]
    - name: show
      container: {image: i}
      input:
      - {from: §camera, name: x, type: array, element-type: u8, shape: [1]WISH}
      - {from: count, name: total, type: i64}
"""


def test_producer_that_would_wait_for_its_own_end_is_refused():
    check_refused(
        WAITS.replace("WISH", ""), "operator `show` takes the first frame when `camera` is complete"
    )


def test_policy_that_holds_nobody_up_may_wait():
    assert resolve(WAITS.replace("WISH", ", policy: latest").replace("§", ""))


def test_queue_may_come_from_an_argument():
    text = pipeline('queue: "${{ queue }}"').replace(
        "name: frames\n", 'name: frames\nparameters: {queue: "{depth: 0}"}\n'
    )
    definition = load_definition({"main.yaml": text})
    (camera,) = definition.resolve({"queue": "{depth: 9}"}).operators
    assert camera.outputs[0].queue == Queue(9)
