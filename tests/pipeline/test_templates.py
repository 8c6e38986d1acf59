# SPDX-License-Identifier: Apache-2.0
"""Parameters, placeholders, and when what they make wrong is found."""

from __future__ import annotations

import pytest

from clara_fastio.errors import DefinitionError
from clara_fastio.pipeline import load_definition
from tests.pipeline.definitions import check_refused, problems_of, resolve

HEAD = "api-version: 0.4.0\nname: x\n"


def definition_with(parameters: str, operator: str) -> str:
    return f"{HEAD}parameters: {parameters}\noperators:\n- {{name: a, {operator}}}\n"


def test_placeholder_stands_inside_of_a_text_and_more_than_once():
    text = definition_with(
        '{one: "1", two: "2"}', 'container: {image: "i${{ one }}${{two}}-${{ ONE }}", tag: x}'
    )
    assert resolve(text).operators[0].image == "i12-1:x"
    assert resolve(text, {"One": "é"}).operators[0].image == "ié2-é:x"


def test_placeholder_is_read_as_the_type_of_its_property():
    text = definition_with(
        '{cpu: "3", all: "{gpu: 2, memory: 64}"}',
        'container: {image: i}, requests: {cpu: "${{ cpu }}"}',
    )
    assert resolve(text).operators[0].requests.cpu == 3
    text = definition_with(
        '{all: "{gpu: 2, memory: 64}"}', 'requests: "${{ all }}", container: {image: i}'
    )
    assert resolve(text).operators[0].requests.memory == 64
    (problem,) = problems_of(text, {"all": "{gpu: two}"})
    assert "`gpu`" in problem.message
    assert "is not an object" in problems_of(text, {"all": "3"})[0].message
    assert "not YAML" in problems_of(text, {"all": "{"})[0].message
    assert resolve(text, {"all": ""}).operators[0].requests.memory == 512


def test_replaced_text_is_not_searched_again():
    text = definition_with('{x: "", y: "no"}', 'container: {image: i}, description: "${{ x }}"')
    assert resolve(text, {"x": "${{ y }}"}).operators[0].description == "${{ y }}"


@pytest.mark.parametrize("argument", ["null", "~"])
def test_null_of_an_argument_is_a_text(argument):
    text = definition_with('{x: "a"}', 'container: {image: i}, description: "${{ x }}"')
    assert resolve(text, {"x": argument}).operators[0].description == argument
    plain = HEAD + "description: ${{ x }}\n" + "parameters: {x: a}\noperators:\n"
    plain += "- {name: a, container: {image: i}}\n"
    assert resolve(plain, {"x": argument}).description == argument


def test_parameters_are_reported_as_declared():
    text = definition_with('{Level: "3"}', 'container: {image: "${{ level }}"}')
    assert load_definition({"m": text}).parameters == {"Level": "3"}
    assert resolve(text, {"LEVEL": "4"}).parameters == {"Level": "4"}


@pytest.mark.parametrize(
    "case",
    [
        ("§{{ x }}".replace("{{", "'${{").replace("}}", "}}'"), "names no parameter"),
        ("§'${{ level'", "not finished"),
        ("§'${{ a}b }}'", "not finished"),
        ("§'${{}}'", "names no parameter"),
        ("§'${{ lvel }}'", "did you mean `level`?"),
    ],
    ids=lambda case: case[0],
)
def test_placeholder_that_cannot_be_replaced(case):
    value, message = case
    text = definition_with('{level: "3"}', f"container: {{image: i}}, description: {value}")
    check_refused(text, message)


def test_unknown_placeholder_is_not_also_called_a_missing_value():
    check_refused(definition_with("{a: x}", "container: {image: §'${{ b }}'}"), "'b'")


@pytest.mark.parametrize(
    "case",
    [
        ("{a: §3}", "is not a string"),
        ("{a: §1.5}", "is not a string"),
        ("{a: §true}", "write it in quotes"),
        ("{a:§ }", "is not a string"),
        ("{a: §~}", "is not a string"),
        ("{a: §[x]}", "is not a string"),
        ("{§a b: x}", "breaks the rule for names"),
        ("{a: x, §A: y}", "is declared twice"),
        ("{a: §'${{ b }}'}", "holds a placeholder"),
        ("§[a]", "`parameters` is not an object"),
    ],
    ids=lambda case: case[0],
)
def test_parameter_that_is_refused(case):
    parameters, message = case
    check_refused(definition_with(parameters, "container: {image: i}"), message)


@pytest.mark.parametrize("default", ["text", "20.10.1", "'3'", '""', "yes", "1.0.0", "a b"])
def test_default_that_is_a_string(default):
    assert resolve(definition_with(f"{{a: {default}}}", "container: {image: i}"))


def test_keys_are_not_replaced():
    text = definition_with('{a: "B"}', "container: {image: i}, variables: {§'${{ a }}': x}")
    check_refused(text, "breaks the rule for environment variables")


def test_what_depends_on_an_argument_is_refused_only_with_the_argument():
    text = definition_with(
        '{image: "", port: "", type: ""}',
        'container: {image: "${{ image }}"}, requests: {cpu: "${{ port }}"}',
    )
    definition = load_definition({"main.yaml": text})
    with pytest.raises(DefinitionError) as caught:
        definition.resolve()
    assert [problem.line for problem in caught.value.problems] == [5, 5]
    assert definition.resolve({"image": "i", "port": "2"}).operators[0].image == "i:latest"


TYPED = """
    api-version: 0.5.0
    name: x
    parameters: {source: "", kind: "", size: "", name: ""}
    operators:
    - name: "a${{ name }}"
      container: {image: i}
      output: [{name: "o${{ name }}", type: array, element-type: u8, shape: [3]}]
    - name: b
      container: {image: i}
      input:
      - from: "${{ source }}"
        name: o
        type: "${{ kind }}"
        element-type: u8
        shape: ["${{ size }}"]
"""


def test_types_and_sources_may_come_from_arguments():
    definition = load_definition({"main.yaml": TYPED.replace("\n    ", "\n")})
    right = {"source": "A", "kind": "array", "size": "-1"}
    assert definition.resolve(right).operators[1].inputs[0].source == "a"
    for wrong in (
        {"source": ""},
        {"source": "b"},
        {"source": "c"},
        {"kind": "u8"},
        {"size": "4"},
        {"size": ""},
        {"name": "1"},
    ):
        with pytest.raises(DefinitionError):
            definition.resolve(right | wrong)
    assert definition.resolve(right | {"name": ""})


def test_what_no_argument_can_mend_is_refused_at_once():
    text = TYPED.replace("\n    ", "\n").replace("shape: [3]", "shape: [many]")
    with pytest.raises(DefinitionError, match="not a dimension"):
        load_definition({"main.yaml": text})


def test_cycle_that_an_argument_closes():
    text = """
        api-version: 0.4.0
        name: x
        parameters: {source: ""}
        operators:
        - name: a
          container: {image: i}
          input: [{from: "${{ source }}", path: /in}]
          output: [{path: /out}]
        - name: b
          container: {image: i}
          input: [{from: a, path: /in}]
          output: [{path: /out}]
    """
    assert [each.name for each in resolve(text).operators] == ["a", "b"]
    (problem,) = problems_of(text, {"source": "b"})
    assert "a -> b -> a" in problem.message


def test_arguments_that_are_refused():
    text = definition_with('{level: "3"}', "container: {image: i}")
    (problem,) = problems_of(text, {"lvl": "1"})
    assert "is not a parameter" in problem.message
    assert (problem.line, problem.column) == (3, 13)
    assert "is given twice" in problems_of(text, {"level": "1", "LEVEL": "2"})[0].message
    assert "no program can be given" in problems_of(text, {"level": "a\0"})[0].message
    assert (
        "no arguments"
        in problems_of(f"{HEAD}operators: [{{name: a, container: {{image: i}}}}]", {"a": ""})[
            0
        ].expected
    )
    with pytest.raises(TypeError, match="not a str but int"):
        load_definition({"m": text}).resolve({"level": 3})  # type: ignore[dict-item]


def test_growth_of_a_definition_is_limited():
    many = ", ".join(["'${{ x }}'"] * 100)
    text = definition_with("{x: a}", f"container: {{image: i, command: [{many}]}}")
    assert resolve(text, {"x": "y" * 1000})
    problems = problems_of(text, {"x": "y" * 10_000})
    assert "too much text" in problems[0].message
