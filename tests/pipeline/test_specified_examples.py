# SPDX-License-Identifier: Apache-2.0
"""Larger definitions, and the problems of definitions with several faults."""

from __future__ import annotations

import pytest

from clara_fastio.errors import DefinitionError
from clara_fastio.pipeline import Requests, load_definition
from tests.pipeline.definitions import check_refused, problems_of, resolve

DISK = """
    # Two readers of one upstream result, then a join.
    api-version: 0.4.0
    name: word-report
    orchestrator: Clara
    operators:
    - name: tokenise
      container:
        image: demo/tokenise
        tag: "1.10"        # quoted: 1.10 would be the number 1.1
        command: ["python", "tokenise.py"]
      variables:
        LOG_LEVEL: debug
      input:
      - path: /input        # no "from": the job's own input folder
      output:
      - path: /output       # the only output, so it needs no name
    - name: count
      container: {image: demo/count}
      input:
      - from: tokenise
        path: /in
      output:
      - {path: /out/table, name: table}
      - {path: /out/log, name: log}
    - name: report
      container: {image: demo/report}
      requests: {cpu: 1, memory: 256}
      input:
      - {from: count, name: table, path: /table}
      - {path: /original}   # the payload again
"""

TYPED = """
    api-version: 0.5.0
    name: frame-stats
    orchestrator: Clara
    operators:
    - name: load
      container: {image: demo/load}
      input:
      - {name: frames-on-disk, path: /in, type: stream, element-type: raw-frames}
      output:
      - {name: volume, type: array, element-type: f32, shape: [-1, 64, 64]}
      - {name: spacing, type: array, element-type: float64, shape: [3]}
      - {name: label, type: string}
    - name: scale
      container: {image: demo/scale}
      input:
      - {from: load, name: volume, type: array, element-type: float32, shape: [-1, 64, 64]}
      - {from: load, name: spacing, type: array, element-type: float64, shape: [3]}
      output:
      - {name: scaled, type: array, element-type: float32, shape: [-1, 64, 64]}
      - {name: peak, type: float32}
    - name: save
      container: {image: demo/save}
      input:
      - {from: scale, name: scaled, type: array, element-type: float32, shape: [-1, 64, 64]}
      - {from: scale, name: peak, type: f32}
      - {from: load, name: label, type: string}
      output:
      - {name: report, path: /out, type: stream, element-type: text-report}
"""

TEMPLATE = {
    "main.yaml": """
        api-version: 0.4.0
        name: pluggable
        parameters:
          level: "3"
        operators:
        - name: first
          import:
            path: parts/stage.yaml
            args: {source-operator: "", strength: "${{ level }}"}
        - name: second
          import:
            path: parts/stage.yaml
            args: {source-operator: first, strength: "1"}
          container: {image: demo/other-stage, tag: "2"}
    """,
    "parts/stage.yaml": """
        api-version: 0.4.0
        name: stage
        parameters:
          source-operator: ""
          strength: "0"
        container: {image: demo/stage, tag: "1"}
        variables: {STRENGTH: "${{ strength }}"}
        input:
        - {from: "${{ source-operator }}", path: /in}
        output:
        - {path: /out}
    """,
}


def test_pipeline_on_disk():
    pipeline = resolve(DISK)
    tokenise, count, report = pipeline.operators
    assert tokenise.image == "demo/tokenise:1.10"
    assert tokenise.command == ("python", "tokenise.py")
    assert tokenise.variables == {"LOG_LEVEL": "debug"}
    assert [(each.name, each.path) for each in count.outputs] == [
        ("table", "/out/table"),
        ("log", "/out/log"),
    ]
    assert report.requests == Requests(cpu=1, gpu=0, memory=256)
    assert [(each.source, each.output) for each in report.inputs] == [
        ("count", "table"),
        (None, None),
    ]
    assert not any(entry.is_typed_memory for entry in (*count.outputs, *report.inputs))


def test_typed_pipeline():
    load, scale, save = resolve(TYPED).operators
    volume, spacing, label = load.outputs
    assert (volume.type, volume.element_type, volume.shape) == ("array", "float32", (-1, 64, 64))
    assert (spacing.element_type, spacing.shape) == ("float64", (3,))
    assert (label.type, label.element_type, label.shape) == ("string", "uint8", (-1,))
    assert (scale.outputs[1].type, scale.outputs[1].shape) == ("float32", (1,))
    assert save.inputs[1].type == "float32"
    assert save.upstream == {"scale", "load"}
    assert [entry.is_typed_memory for entry in load.inputs] == [False]
    assert all(entry.is_typed_memory for entry in load.outputs)
    assert (save.outputs[0].type, save.outputs[0].element_type) == ("stream", "text-report")
    assert save.outputs[0].path == "/out"


def test_template_and_import():
    first, second = resolve(TEMPLATE, {"level": "5"}).operators
    assert first.name == "first"
    assert first.variables == {"STRENGTH": "5"}
    assert first.image == "demo/stage:1"
    assert first.inputs[0].source is None
    assert second.variables == {"STRENGTH": "1"}
    assert second.image == "demo/other-stage:2"
    assert second.inputs[0].source == "first"
    assert resolve(TEMPLATE).operators[0].variables == {"STRENGTH": "3"}


def test_argument_that_is_no_parameter_is_refused():
    (problem,) = problems_of(TEMPLATE, {"lvl": "5"})
    assert "'lvl' is not a parameter" in problem.message
    assert problem.hint == "did you mean `level`?"
    assert (problem.file, problem.line) == ("main.yaml", 5)


def test_model_and_service():
    model = resolve("""
        api-version: 0.6.0
        name: with-helpers
        orchestrator: Clara
        operators:
        - name: classify
          container: {image: demo/classify}
          models:
          - name: toy_classifier_v1
          input:
          - {name: pictures, path: /in, type: stream, element-type: png-folder}
          output:
          - {name: scores, type: array, element-type: float32, shape: [-1, 2]}
    """)
    assert model.operators[0].models == ("toy_classifier_v1",)
    service = resolve("""
        api-version: 0.4.0
        name: with-service
        operators:
        - name: lookup
          container: {image: demo/lookup}
          services:
          - name: dictionary
            container: {image: demo/dictionary, tag: "1", command: ["serve"]}
            connections:
              http:
              - {name: DICTIONARY_ADDRESS, port: 8100}
          input:
          - {path: /in}
          output:
          - {path: /out}
    """)
    assert service.operators[0].services[0].connections[0].port == 8100


def test_array_with_a_path_and_no_shape_is_refused_twice():
    check_refused(
        """
        api-version: 0.5.0
        name: bad-array
        operators:
        - name: a
          container: {image: demo/a}
          output:
          - §{name: x, type: array, element-type: float32, path: §/out}
        """,
        "an output of operator `a` has no `shape`",
        "has `path`, which the type `array` does not have",
    )


def test_cycle_and_different_types_are_reported_together():
    check_refused(
        """
        api-version: 0.5.0
        name: bad-graph
        operators:
        - name: b
          container: {image: demo/b}
          input: [{from: §c, name: y, type: int32}]
          output: [{name: x, type: float32}]
        - name: c
          container: {image: demo/c}
          input: [{from: b, name: x, type: §float64}]
          output: [{name: y, type: int32}]
        """,
        "these operators wait for each other: b -> c -> b",
        "found float64, expected float32 as in main.yaml:7",
    )


def test_names_equal_but_for_case_and_an_unnamed_second_output():
    check_refused(
        """
        api-version: 0.4.0
        name: bad-names
        operators:
        - name: Copy
          container: {image: demo/copy}
          output: [{path: /a, name: one}, §{path: /b}]
        - name: §copy
          container: {image: demo/copy}
          input: [{path: /in}]
        """,
        "has no `name`",
        "two operators have the same name",
    )


def test_error_is_raised_before_anything_is_returned():
    with pytest.raises(DefinitionError, match="2 problems"):
        load_definition({"main.yaml": "api-version: 0.4.0"})
