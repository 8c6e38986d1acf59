# SPDX-License-Identifier: Apache-2.0
"""What properties become when they are right."""

from __future__ import annotations

import dataclasses
import json

import pytest

from clara_fastio.pipeline import Connection, Operator, Requests, load_definition
from clara_fastio.pipeline import resolve as resolve_definition
from tests.pipeline.definitions import resolve


def operator_of(body: str, version: str = "0.4.0") -> Operator:
    head = f"api-version: {version}\nname: test\noperators:\n- name: a\n"
    return resolve(head + "".join(f"  {line}\n" for line in body.splitlines())).operators[0]


@pytest.mark.parametrize(
    ("written", "image"),
    [
        ("{image: demo/a}", "demo/a:latest"),
        ("{image: demo/a, tag: }", "demo/a:latest"),
        ("{image: demo/a, tag: 20.10}", "demo/a:20.10"),
        ("{image: demo/a, tag: 0x10}", "demo/a:0x10"),
        ("{image: demo/a, tag: 1_000}", "demo/a:1_000"),
        ("{image: demo/a, tag: true}", "demo/a:true"),
        ("{image: demo/a, tag: 2021-01-01}", "demo/a:2021-01-01"),
        ("{image: demo/a, tag: '0.8.1'}", "demo/a:0.8.1"),
        ("{image: demo/a, tag: !!str 1.0}", "demo/a:1.0"),
        ("{image: 'demo/a:3'}", "demo/a:3"),
        ("{image: 'host:5000/demo/a', tag: x}", "host:5000/demo/a:x"),
        ("{image: 'host:5000/demo/a'}", "host:5000/demo/a:latest"),
        ("{image: 'demo/a@sha256:0123'}", "demo/a@sha256:0123"),
    ],
)
def test_tag_keeps_the_text_of_the_file(written, image):
    assert operator_of(f"container: {written}").image == image


def test_variables_keep_the_text_of_the_file():
    operator = operator_of(
        "container: {image: i}\n"
        "variables: {A: 2, B: 1.10, C: yes, D: , E: ~, F: 'null', G: 0o17, _h: \"x\\ny\"}"
    )
    assert operator.variables == {
        "A": "2",
        "B": "1.10",
        "C": "yes",
        "D": "",
        "E": "",
        "F": "null",
        "G": "0o17",
        "_h": "x\ny",
    }


def test_variables_of_the_operator_win_over_those_of_its_container():
    text = (
        "api-version: 0.4.0\nname: test\noperators:\n- name: a\n"
        "  container: {image: i, variables: {A: 1, B: 2}}\n  variables: {B: 3, C: 4}\n"
    )
    definition = load_definition({"main.yaml": text})
    assert definition.resolve().operators[0].variables == {"A": "1", "B": "3", "C": "4"}
    (warning,) = definition.warnings
    assert "the variable `B`" in warning.message
    assert (warning.line, warning.column) == (6, 14)


@pytest.mark.parametrize(
    ("version", "default"),
    [
        ("0.2.0", Requests(1, 0, 512)),
        ("0.6.0", Requests(1, 0, 512)),
        ("0.7.0", Requests(2, 0, 1024)),
        ("1.0.0", Requests(2, 0, 1024)),
    ],
)
def test_requests_have_defaults_by_version(version, default):
    assert operator_of("container: {image: i}", version).requests == default
    part = operator_of("container: {image: i}\nrequests: {gpu: 3}", version).requests
    assert part == dataclasses.replace(default, gpu=3)
    full = operator_of("container: {image: i}\nrequests: {cpu: 0, gpu: 1, memory: '64'}", version)
    assert full.requests == Requests(0, 1, 64)


@pytest.mark.parametrize("version", ["0.2.0", "0.3.7", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "1.0.0"])
def test_supported_versions(version):
    definition = load_definition(
        {"m": f"api-version: {version}\nname: x\noperators: [{{name: a, container: {{image: i}}}}]"}
    )
    assert definition.api_version == version


def test_extensions():
    pipeline = resolve("""
        api-version: 1.0.0
        name: x
        timeout: 90.5
        operators:
        - {name: late, after: [EARLY, early], container: {image: i, driver: true}, timeout: 3}
        - name: Early
          driver: false
          container: {image: i}
          output: [{name: o, type: u8, memory: host}]
    """)
    early, late = pipeline.operators
    assert pipeline.timeout == 90.5
    assert (late.name, late.after, late.upstream) == ("late", ("Early",), {"Early"})
    assert (late.driver, late.timeout) == (True, 3)
    assert (early.driver, early.timeout, early.outputs[0].memory) == (False, None, "host")


def test_resolve_is_offered_as_a_function_too():
    text = "api-version: 1.0.0\nname: x\nparameters: {i: a}\noperators:\n"
    definition = load_definition({"m": text + "- {name: a, container: {image: '${{ i }}'}}"})
    assert resolve_definition(definition, {"i": "b"}) == definition.resolve({"i": "b"})


def test_null_counts_as_absent():
    operator = operator_of(
        "container: {image: i, tag: ~, command: null}\n"
        "description:\nvariables:\nrequests: ~\nservices:\nmodels:\n"
        "input: [{name: null, path: /in, from: null, type: null}]\n"
        "output: [{name: Null, path: /out}]\nafter:"
    )
    assert operator.inputs[0].name is None
    assert operator.outputs[0].name is None
    assert operator.requests == Requests(1, 0, 512)


def test_unknown_properties_are_warned_of_with_their_place():
    text = (
        "api-version: 0.4.0\nname: x\nnmae: y\noperators:\n- name: a\n"
        "  container: {image: i, hostVolumePath: /x}\n  inputs: []\n"
    )
    definition = load_definition({"main.yaml": text})
    shown = [(each.line, each.column, each.hint) for each in definition.warnings]
    assert shown == [
        (3, 1, "did you mean `name`?"),
        (6, 25, ""),
        (7, 3, "did you mean `input`?"),
    ]
    assert definition.resolve().warnings == definition.warnings


@pytest.mark.parametrize("keyword", ["volume", "file"])
def test_connections(keyword):
    operator = operator_of(
        "container: {image: i}\n"
        "services:\n"
        "- name: s\n"
        "  container: {image: i, tag: 2, command: [serve], variables: {A: 1}}\n"
        "  requests: {gpu: 1}\n"
        f"  connections: {{http: [{{name: H}}], {keyword}: [{{name: V, path: /v}}]}}"
    )
    (service,) = operator.services
    assert service.connections == (Connection("http", "H"), Connection("volume", "V", path="/v"))
    assert (service.image, service.variables) == ("i:2", {"A": "1"})
    assert service.requests == Requests(1, 1, 512)


def test_paths_are_normalised():
    operator = operator_of("container: {image: i}\ninput: [{path: //in//a/./}]")
    assert operator.inputs[0].path == "/in/a"


def test_pipeline_can_be_written_as_json():
    pipeline = resolve(
        "api-version: 0.5.0\nname: x\noperators:\n- {name: a, container: {image: i}, "
        "output: [{name: o, type: array, element-type: u8, shape: [0, 3]}]}\n"
    )
    stored = json.loads(json.dumps(dataclasses.asdict(pipeline), default=sorted))
    assert stored["operators"][0]["outputs"][0]["data_type"]["shape"] == [-1, 3]
