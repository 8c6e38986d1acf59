# SPDX-License-Identifier: Apache-2.0
"""Which inputs take which outputs."""

from __future__ import annotations

import pytest

from clara_fastio.pipeline import types
from tests.pipeline.definitions import problems_of, resolve

TEXT = """
    api-version: 0.5.0
    name: x
    operators:
    - name: Give
      container: {image: i}
      output: [{name: Out, %s}]
    - name: take
      container: {image: i}
      input: [{from: GIVE, name: OUT, %s}]
"""


def array(element_type: str, *shape: int) -> str:
    return f"type: array, element-type: {element_type}, shape: {list(shape)}"


STREAM = "type: stream, element-type: %s, path: /p"

SAME = [
    (array("u8", 3, 4), array("uint8", 3, 4)),
    (array("f64", -1, 4), array("float64", -1, 4)),
    (array("f64", 0, 4), array("float64", -1, 4)),
    (array("f64", 3, 4), array("float64", -1, 0)),
    (array("f16", 3, -1), array("f16", -1, -1)),
    ("type: f32", "type: float32"),
    ("type: f32", array("float32", 1)),
    ("type: f32", array("float32", -1)),
    (array("float32", 1), "type: f32"),
    ("type: string", "type: string"),
    ("type: string", array("u8", -1)),
    (array("uint8", -1), "type: string"),
    (array("uint8", 7), "type: string"),
    (STREAM % "text", STREAM % "text"),
]
DIFFERENT = [
    (array("u8", 3), array("i8", 3), "the element types differ"),
    (array("u8", 3), array("u8", 3, 1), "the numbers of dimensions differ"),
    (array("u8", 3, 4), array("u8", 3, 5), "dimension 1 differs"),
    (array("u8", -1), array("u8", 5), "dimension 0 is dynamic on the output only"),
    (array("u8", 0), array("u8", 5), "dimension 0 is dynamic on the output only"),
    ("type: f32", "type: f64", "the element types differ"),
    (array("f32", 2), "type: f32", "dimension 0 differs"),
    (array("f32", -1), "type: f32", "is dynamic on the output only"),
    ("type: string", array("u8", 5), "is dynamic on the output only"),
    ("type: string", "type: i8", "the element types differ"),
    ("type: string", STREAM % "text", "one lies on disk"),
    (STREAM % "text", "type: string", "one lies on disk"),
    (STREAM % "text", STREAM % "Text", "the element types differ"),
]


@pytest.mark.parametrize(("given", "taken"), SAME)
def test_input_takes_the_output(given, taken):
    give, take = resolve(TEXT % (given, taken)).operators
    (entry,) = take.inputs
    assert (entry.source, entry.output, entry.name) == ("Give", "Out", "OUT")
    assert entry.element_type == give.outputs[0].element_type


@pytest.mark.parametrize(("given", "taken", "reason"), DIFFERENT)
def test_input_does_not_take_the_output(given, taken, reason):
    (problem,) = problems_of(TEXT % (given, taken))
    assert reason in problem.message
    assert problem.line == 10
    assert problem.expected.endswith("as in main.yaml:7")


@pytest.mark.parametrize(("alias", "name"), types.ALIASES.items())
def test_alias_is_its_primitive(alias, name):
    give, take = resolve(TEXT % (f"type: {alias}", f"type: {name}")).operators
    assert give.outputs[0].type == take.inputs[0].type == name


def test_primitives_have_the_sizes_of_their_names():
    for name, size in types.PRIMITIVES.items():
        assert name.endswith(str(8 * size))


OUTPUTS = """
    api-version: 0.4.0
    name: x
    operators:
    - name: give
      container: {image: i}
      output: %s
    - name: take
      container: {image: i}
      input: [{from: give, path: /in%s}]
"""


@pytest.mark.parametrize(
    ("outputs", "name", "message"),
    [
        ("[{path: /a, name: x}, {path: /b, name: y}]", "", "has no `name`"),
        ("[{path: /a, name: x}]", ", name: y", "names no output of the operator `give`"),
        ("[{path: /a}]", ", name: y", "expected its only output, without a name"),
        ("[{path: /a, name: left}]", ", name: lef", "did you mean `left`?"),
        ("[]", "", "has no output"),
        ("[]", ", name: y", "has no output"),
    ],
)
def test_output_that_is_not_found(outputs, name, message):
    (problem,) = problems_of(OUTPUTS % (outputs, name))
    assert message in str(problem)


@pytest.mark.parametrize("outputs", ["[{path: /a}]", "[{path: /a, name: x}]"])
def test_single_output_needs_no_name(outputs):
    (entry,) = resolve(OUTPUTS % (outputs, "")).operators[1].inputs
    assert (entry.source, entry.output) == ("give", None)


def test_typed_input_names_its_output():
    text = TEXT % ("type: u8", "type: u8")
    (problem,) = problems_of(text.replace("name: OUT, ", ""))
    assert "an input of operator `take` has no `name`" in problem.message
    assert "`Give` offers 'Out'" in problem.hint


def test_typed_payload_is_a_stream_with_or_without_a_name():
    text = """
        api-version: 0.5.0
        name: x
        operators:
        - name: a
          container: {image: i}
          input:
          - {type: stream, element-type: e, path: /p}
          - {name: n, type: stream, element-type: e, path: /q}
    """
    first, second = resolve(text).operators[0].inputs
    assert (first.name, second.name) == (None, "n")
    assert (first.source, first.output) == (None, None)
