# SPDX-License-Identifier: Apache-2.0
"""Outputs in the memory of a device, and those that are registered with one."""

from __future__ import annotations

import textwrap

import pytest

from clara_fastio.pipeline import load_definition
from clara_fastio.pipeline.model import Placement
from clara_fastio.streams import Queue
from tests.pipeline.definitions import check_operator, check_refused, resolve

ARRAY = "type: array, element-type: f32, shape: [4]"
UUID = "GPU-01234567-89ab-cdef-0123-456789ABCDEF"


def pipeline(placement: str, *inputs: str, version: str = "1.0.0") -> str:
    """Write an output with a placement, and one operator for each of `inputs`."""
    text = f"""
    api-version: {version}
    name: placed
    operators:
    - name: give
      container: {{image: i}}
      output: [{{name: x, {ARRAY}{placement}}}]
    """
    text = textwrap.dedent(text).strip()
    for number, stated in enumerate(inputs):
        text += (
            f"\n- name: take{number}\n  container: {{image: i}}\n"
            f"  input: [{{from: give, name: x, {ARRAY}{stated}}}]"
        )
    return text + "\n"


PLACEMENTS = [
    ("", Placement()),
    (", memory: host", Placement()),
    (", memory: ", Placement()),
    (", pinned: false", Placement()),
    (", pinned: true", Placement(pinned=True)),
    (", memory: host, pinned: true", Placement(pinned=True)),
    (", memory: device", Placement("device")),
    (", memory: device, device: 0", Placement("device", 0)),
    (', memory: device, device: "11"', Placement("device", 11)),
    (', memory: device, device: "cuda:3"', Placement("device", 3)),
    (f", memory: device, device: {UUID}", Placement("device", UUID)),
    (", memory: device, device: ~, fallback: host", Placement("device", fallback="host")),
    (", memory: device, device: '', fallback: '', pinned: ''", Placement("device")),
]


@pytest.mark.parametrize(("text", "placement"), PLACEMENTS, ids=lambda case: str(case)[:60])
def test_placement_is_read_and_inputs_take_it_over(text, placement):
    give, take = resolve(pipeline(text, "")).operators
    assert give.outputs[0].placement == placement
    assert take.inputs[0].placement == placement
    assert take.inputs[0].memory == placement.memory


def test_input_may_state_the_memory_of_its_output():
    _, take = resolve(pipeline(", memory: device, device: 1", ", memory: device")).operators
    assert take.inputs[0].placement == Placement("device", 1)
    assert resolve(pipeline("", ", memory: host"))


def test_frames_may_lie_on_a_device():
    text = pipeline(", memory: device, fallback: host, queue: {depth: 2}", ", policy: latest")
    give, take = resolve(text).operators
    assert give.outputs[0].queue == Queue(2)
    assert give.outputs[0].placement == Placement("device", fallback="host")
    assert take.inputs[0].edge is not None


def output(placement: str, kind: str = ARRAY) -> str:
    return f"output: [{{name: x, {kind}, {placement}}}]"


ON_DISK = "type: stream, element-type: e, path: /p"
REFUSED = [
    (output("memory: §disk"), "is not host or device (found 'disk', expected host or device)"),
    (output("memory: §devise"), "did you mean `device`?"),
    (output("memory: §[device]"), "`memory` of an output of operator `a` is not a text"),
    (output("memory: device, device: §-1"), "found '-1', expected a number such as 0"),
    (output("memory: device, device: §10000"), "`device` of an output of operator `a` is not a"),
    (output("memory: device, device: §01"), "or the UUID of a device"),
    (output("memory: device, device: §cuda"), "found 'cuda'"),
    (output("memory: device, device: §GPU-0123"), "found 'GPU-0123'"),
    (output("memory: device, device: §[0]"), "found a list"),
    (output("memory: device, fallback: §none"), "is not host", "leave it out where copies are"),
    (output("memory: device, fallback: §{}"), "found an object, expected host"),
    (output("pinned: §maybe"), "`pinned` of an output of operator `a` is not true or false"),
    (output("device: §0"), "has `device`, but its memory is the host's; declare `memory: device`"),
    (output("memory: host, device: §x"), "has `device`, but its memory is the host's"),
    (output("fallback: §host"), "has `fallback`, but its memory is the host's", "or remove"),
    (output("memory: device, pinned: §true"), "but its memory is a device's; remove `pinned`"),
    (output("memory: device, pinned: §false"), "has `pinned`, but its memory is a device's"),
    (output("memory: §device", "type: f32"), "which the type `float32` does not have", "only an"),
    (output("memory: §device", "type: string"), "which the type `string` does not have"),
    (output("pinned: §true", "type: u8"), "but the type `uint8` does not have it; remove"),
    (output("device: §0", "type: string"), "but the type `string` does not have it"),
    (output("memory: §device", ON_DISK), "has `memory`, but a stream lies on disk"),
    (output("device: §0", ON_DISK), "has `device`, but a stream lies on disk; remove `device`"),
    (output("fallback: §host", ON_DISK), "has `fallback`, but a stream lies on disk"),
    (output("pinned: §true", ON_DISK), "has `pinned`, but a stream lies on disk"),
    (f"input: [{{name: x, {ON_DISK}, memory: §host}}]", "but a stream lies on disk"),
    (f"input: [{{name: x, {ON_DISK}, pinned: §true}}]", "but a stream lies on disk"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case[0][:90])
def test_placement_is_refused(case):
    text, *messages = case
    for message in messages:
        check_operator(text, message, version="1.0.0")


def test_everything_that_is_wrong_is_said_at_once():
    check_operator(
        output("memory: §tape, device: §x, fallback: §y, pinned: §z"),
        *("`memory`", "`device`", "`fallback`", "`pinned`"),
        version="1.0.0",
    )


INPUTS = [
    ("", ", memory: §device", "found device, expected host as in main.yaml:6"),
    (", memory: device", ", memory: §host", "is not that of the output that it names"),
    (", memory: device", ", memory: §disk", "`memory` of an input of operator `take0` is not host"),
    (", memory: device", ", device: §0", "has `device`, which belongs to the output"),
    (", memory: device", ", fallback: §host", "declare `fallback` at the output"),
    ("", ", pinned: §true", "an input of operator `take0` has `pinned`, which belongs to the"),
    (", memory: §disk", ", memory: device", "is not host or device"),
]


@pytest.mark.parametrize("case", INPUTS, ids=str)
def test_input_is_refused(case):
    placement, stated, message = case
    check_refused(pipeline(placement, stated), message)


def test_before_their_version_they_are_no_properties():
    placement = ", §memory: disk, §device: 0, §fallback: x, §pinned: true"
    text = pipeline(placement, ", §memory: device, §device: 0", version="0.7.0")
    check_refused(text, *["is not a property of this version"] * 6)


def with_parameter(text: str, default: str) -> str:
    return text.replace("name: placed\n", f'name: placed\nparameters: {{p: "{default}"}}\n')


def test_memory_may_come_from_an_argument():
    text = with_parameter(pipeline(', memory: "${{ p }}", device: 2', ", memory: device"), "host")
    give, _ = load_definition({"main.yaml": text}).resolve({"p": "device"}).operators
    assert give.outputs[0].placement == Placement("device", 2)


def test_device_may_come_from_an_argument():
    text = with_parameter(pipeline(', memory: device, device: "${{ p }}"'), "")
    definition = load_definition({"main.yaml": text})
    for argument, device in ((None, None), ("1", 1), (UUID, UUID)):
        (give,) = definition.resolve({"p": argument} if argument else {}).operators
        assert give.outputs[0].placement.device == device
