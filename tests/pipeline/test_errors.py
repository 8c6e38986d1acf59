# SPDX-License-Identifier: Apache-2.0
"""What is refused, and at which place; `§` marks where the next problem is reported."""

from __future__ import annotations

import pytest

from clara_fastio.errors import DefinitionError
from clara_fastio.pipeline import load_definition
from tests.pipeline.definitions import check_operator, check_refused, problems_of

TOP = [
    ("§[1, 2]", "the top of a file is not an object"),
    ("§just text", "the top of a file is not an object"),
    ("§", "there is nothing in the file"),
    ("a: b§: c", "mapping values are not allowed here"),
    ("a: [1, 2§", "this is not YAML"),
    (
        "§nothing: here",
        "the pipeline has no `api-version` (expected 0.2.0 to 0.7.0, or 1.0.0)",
        "the pipeline has no `name`",
        "the pipeline has no `operators`",
    ),
    ("§api-version: 0.4.0\nname: x\n", "the pipeline has no `operators`"),
    ("api-version: 0.4.0\nname: x\noperators: §[]", "the pipeline has no operators"),
    ("api-version: 0.4.0\nname: x\noperators: §{a: b}", "is not a list"),
    ("api-version: 0.4.0\nname: x\noperators: [§a]", "is not an object"),
]
VERSIONS = ["0.1.0", "0.8.0", "1.1.0", "2.0.0", "0.4", "v0.4.0", "0.4.0.0", "[0, 4]", "${{ v }}"]


@pytest.mark.parametrize("case", TOP, ids=lambda case: case[0][:30])
def test_top_of_a_definition(case):
    text, *messages = case
    if len(messages) == 3:  # All three are missing from the same place.
        text = "§§" + text
    check_refused(text, *messages)


@pytest.mark.parametrize("version", VERSIONS)
def test_version_that_is_not_supported(version):
    check_refused(
        f"api-version: §{version}\nname: x\noperators: [{{name: a, container: {{image: i}}}}]",
        "the `api-version` is not supported",
    )


@pytest.mark.parametrize("value", ["Argo", "argo", "[Clara]"])
@pytest.mark.parametrize("version", ["0.4.0", "0.5.0"])
def test_orchestrator_other_than_clara(version, value):
    operators = "operators: [{name: a, container: {image: i}}]"
    text = f"api-version: {version}\nname: x\norchestrator: §{value}\n{operators}"
    check_refused(text, "orchestrator")


NAMES = ["a b", "ä", "a.b", "a/b", "a:b", "x" * 256, "-é"]


@pytest.mark.parametrize("name", NAMES)
def test_name_that_breaks_the_rule(name):
    check_operator(f'- name: §"{name}"\n  container: {{image: i}}', "breaks the rule for names")


@pytest.mark.parametrize("name", ["clara-pod-manager", "Clara-Pod-Manager"])
def test_reserved_name(name):
    check_operator(f"- name: §{name}\n  container: {{image: i}}", "is reserved")


OPERATORS = [
    ("- §container: {image: i}", "an operator has no `name`"),
    ('- name: §""\n  container: {image: i}', "has no `name`"),
    ("- §name: a", "operator `a` has no `container`"),
    ("- name: a\n  container: §{tag: '1'}", "the container of operator `a` has no `image`"),
    ("- name: a\n  container: {image: §''}", "has no `image`"),
    ("- name: a\n  container: §image", "`container` of operator `a` is not an object"),
    ("- name: a\n  container: {image: §a b}", "is not the name of an image"),
    ("- name: a\n  container: {image: i, tag: §'a:b'}", "is not a tag of an image"),
    ("- name: a\n  container: {image: 'i:1', tag: §'2'}", "both say which version"),
    ("- name: a\n  container: {image: i, command: §python x.py}", 'write it as ["program"'),
    ("- name: a\n  container: {image: i, command: [python, §[x]]}", "is not a text"),
    ("- name: a\n  container: {image: i, command: [python, §~]}", "is not a text"),
    ("requests: {cpu: §1.5}", "`cpu` of the requests of operator `a` is not a whole number"),
    ("requests: {gpu: §-1}", "is not a whole number of at least 0"),
    ("requests: {memory: §many}", "is not a whole number"),
    ("requests: {cpu: §[1]}", "is not a whole number"),
    ("requests: {cpu: §9999999999999999999999}", "is not a whole number"),
    ("requests: §4", "is not an object"),
    ("variables: {§A-B: x}", "breaks the rule for environment variables"),
    ("variables: {§1A: x}", "breaks the rule for environment variables"),
    ("variables: {A: §[x]}", "the variable `A` is not a text"),
    ("description: §[x]", "`description` of operator `a` is not a text"),
    ("input: §{path: /in}", "`input` of operator `a` is not a list"),
    ("input: [§/in]", "holds something that is not an object"),
    ("models: [{§}]".replace("{§}", "§{}"), "a model of operator `a` has no `name`"),
    ("models: [{name: §a/b}]", "letters, digits"),
    ("models: [§a]", "is not an object"),
]


@pytest.mark.parametrize("case", OPERATORS, ids=lambda case: case[0][:60])
def test_operator(case):
    check_operator(*case)


UNTYPED = [
    ("input: [§{from: ''}]", "has no `path`"),
    ("input: [{path: §in}]", "is not a path that begins with /"),
    ("output: [{path: §./out}]", "is not a path that begins with /"),
    ("output: [{path: §/}]", "is not a path below /"),
    ("output: [{path: §/a/../b}]", "is not a path below /"),
    ("output: [{path: §'/a;b'}]", "is not a path below /"),
    ('output: [{path: §"/a\\nb"}]', "is not a path below /"),
    ("input: [{path: /a, §type: stream}]", "`type` is not a property of this version"),
    ("output: [{path: /a, §element-type: x}]", "expected api-version 0.5.0 or above"),
    ("output: [{path: /a, §shape: [1]}]", "`shape` is not a property of this version"),
    ("output: [§{path: /a}, §{path: /b}]", "has no `name`", "has no `name`"),
    ("output: [{path: /a, name: x}, {path: /b, name: §X}]", "two outputs of operator `a`"),
    ("input: [{path: /a}, {path: §/a/}]", "two entries of operator `a` have the same path"),
    ("input: [{path: /a}]\noutput: [{path: §/a}]", "have the same path"),
    ("input: [{path: //a}]\noutput: [{path: §/./a}]", "have the same path"),
    ("input: [{from: §b, path: /a}]", "`from` names no operator"),
    ("input: [{from: §b, name: x, path: /a}]", "`from` names no operator"),
    (
        """
        - {name: a, container: {image: i}, output: [{path: /o}]}
        - {name: b, container: {image: i}, input: [{from: a, name: §x y, path: /i}]}
        """,
        "`name` of an input of operator `b` breaks the rule for names",
    ),
    ("input: [{from: §A, path: /a}]\noutput: [{path: /b}]", "names the operator itself"),
]


@pytest.mark.parametrize("case", UNTYPED, ids=lambda case: case[0][:60])
@pytest.mark.parametrize("version", ["0.2.0", "0.3.0", "0.4.0"])
def test_untyped_entry(case, version):
    check_operator(*case, version=version)


TYPED = [
    ("output: [§{name: x}]", "an output of operator `a` has no `type`"),
    ("output: [{name: x, type: §float}]", "is unknown"),
    ("output: [{name: x, type: §Float32}]", "did you mean `float32`?"),
    ("output: [{name: x, type: §bool}]", "expected stream, array, string or a primitive"),
    ("output: [§{type: f32}]", "an output of operator `a` has no `name`"),
    ("output: [§{name: x, type: stream, element-type: y}]", "has no `path`"),
    ("output: [§{name: x, type: stream, path: /y}]", "has no `element-type`"),
    ("output: [{name: x, type: stream, element-type: y, path: /y, shape: §[1]}]", "has `shape`"),
    ("output: [§{name: x, type: array, element-type: u8}]", "has no `shape`"),
    ("output: [§{name: x, type: array, shape: [1]}]", "has no `element-type`"),
    ("output: [{name: x, type: array, element-type: §text, shape: [1]}]", "element type"),
    ("output: [{name: x, type: array, element-type: u8, shape: [1], path: §/x}]", "has `path`"),
    ("output: [{name: x, type: string, shape: §[1]}]", "has `shape`"),
    ("output: [{name: x, type: string, element-type: §u8}]", "has `element-type`"),
    ("output: [{name: x, type: f32, path: §/x}]", "has `path`"),
    ("output: [{name: x, type: f32, element-type: §f32}]", "has `element-type`"),
    ("output: [{name: x, type: array, element-type: u8, shape: §[]}]", "1 to 32 dimensions"),
    ("output: [{name: x, type: array, element-type: u8, shape: §3}]", "is not a list"),
    ("output: [{name: x, type: array, element-type: u8, shape: [1, §-2]}]", "not a dimension"),
    ("output: [{name: x, type: array, element-type: u8, shape: [§1.5]}]", "not a dimension"),
    ("output: [{name: x, type: array, element-type: u8, shape: [§n]}]", "not a dimension"),
    (f"output: [{{name: x, type: array, element-type: u8, shape: §{[1] * 33}}}]", "too many"),
    (
        f"output: [{{name: x, type: array, element-type: u8, shape: §{[2**40, 2**40]}}}]",
        "fits into no memory",
    ),
    ("input: [{name: x, type: §f32}]", "without `from` is the payload of the job"),
    ("input: [{name: x, type: §string}]", "found string, expected stream"),
]


@pytest.mark.parametrize("case", TYPED, ids=lambda case: case[0][:80])
@pytest.mark.parametrize("version", ["0.5.0", "0.7.0", "1.0.0"])
def test_typed_entry(case, version):
    check_operator(*case, version=version)


SERVICES = [
    ("services: [{name: s, container: §{}}]", "has no `image`"),
    ("services: [§{name: s}]", "has no `container`"),
    ("services: [§{container: {image: i}}]", "a service of operator `a` has no `name`"),
    (
        "services: [{name: s, container: {image: i}}, {name: §S, container: {image: i}}]",
        "two services of operator `a` have the same name",
    ),
]
HTTP = [
    ("{name: A, port: §1023}", "is not a whole number from 1024 to 65535"),
    ("{name: A, port: §65536}", "from 1024 to 65535"),
    ("{name: A, port: §http}", "from 1024 to 65535"),
    ("{name: §A-B}", "is not the name of an environment variable"),
    ("§{port: 8000}", "has no `name`"),
]


@pytest.mark.parametrize("case", SERVICES, ids=lambda case: case[0][:60])
def test_service(case):
    check_operator(*case)


@pytest.mark.parametrize("case", HTTP, ids=lambda case: case[0])
def test_connection(case):
    entry, message = case
    service = f"{{name: s, container: {{image: i}}, connections: {{http: [{entry}]}}}}"
    check_operator(f"services: [{service}]", message)


EXTENSIONS = [
    ("§after: []", "`after` is not a property of this version"),
    ("§driver: true", "`driver` is not a property of this version"),
    ("§timeout: 3", "expected api-version 1.0.0 or above"),
    ("output: [{name: x, type: f32, §memory: host}]", "`memory` is not a property"),
    ("output: [{name: x, type: f32, §queue: {}}]", "`queue` is not a property"),
]


@pytest.mark.parametrize("case", EXTENSIONS, ids=lambda case: case[0])
def test_extension_before_its_version(case):
    check_operator(*case, version="0.7.0")


NEW = [
    ("after: [§b]", "`after` names no operator"),
    ("after: [§a]", "`after` names the operator itself"),
    ("after: §b", "write it as [operator]"),
    ("after: [§[b]]", "is not a list of names of operators"),
    ("driver: §yes", "is not true or false"),
    ("timeout: §0", "is not a number of seconds above 0"),
    ("timeout: §-1", "is not a number of seconds above 0"),
    ("timeout: §soon", "is not a number of seconds above 0"),
    ("timeout: §.inf", "is not a number of seconds above 0"),
    ("output: [{name: x, type: f32, memory: §disk}]", "is not host or device"),
    ("input: [{name: x, type: stream, element-type: e, path: /p, §queue: 3}]", "`queue`"),
    (
        "output: [{name: x, type: stream, element-type: e, path: /p, memory: §host}]",
        "a stream lies on disk",
    ),
    ("- name: a\n  container: {image: i, driver: true}\n  driver: §false", "differ"),
]


@pytest.mark.parametrize("case", NEW, ids=lambda case: case[0][:60])
def test_extension(case):
    check_operator(*case, version="1.0.0")


def test_timeout_of_a_pipeline_is_an_extension():
    operators = "operators: [{name: a, container: {image: i}}]"
    check_refused(f"api-version: 0.7.0\nname: x\n§timeout: 5\n{operators}", "`timeout`")
    check_refused(f"api-version: 1.0.0\nname: x\ntimeout: §0\n{operators}", "above 0")


def test_all_problems_are_reported_in_the_order_of_the_file():
    check_refused(
        """
        api-version: 0.4.0
        name: §a b
        orchestrator: §Argo
        operators:
        - name: a
          container: {image: demo/a, command: §run}
          requests: {cpu: §x, gpu: §y}
          input: [{path: §in, from: §nobody}]
        - §container: {tag: "1"}
        """.replace('§container: {tag: "1"}', 'name: b\n          container: §{tag: "1"}'),
        "`name` of the pipeline",
        "orchestrator",
        "`command`",
        "`cpu`",
        "`gpu`",
        "`path`",
        "`from`",
        "`image`",
    )


def test_missing_version_does_not_hide_other_problems():
    check_refused(
        """
        §name: test
        operators:
        - name: a
          container: §{}
          input: [{from: §b}]
        """,
        "has no `api-version`",
        "has no `image`",
        "names no operator",
    )


def test_an_operator_without_a_name_is_not_also_called_unknown():
    check_operator(
        """
        - name: §a b
          container: {image: i}
          output: [{path: /out}]
        - name: c
          container: {image: i}
          input: [{from: ab, path: /in}]
        """,
        "breaks the rule for names",
    )


def test_message_lists_a_hundred_problems_and_the_attribute_all():
    operators = "\n".join(f"- {{name: a{number}}}" for number in range(150))
    text = f"api-version: 0.4.0\nname: x\noperators:\n{operators}\n"
    problems = problems_of(text)
    assert len(problems) == 150


def test_problem_shows_place_found_expected_and_hint():
    text = "api-version: 0.5.0\nname: x\noperators:\n- {name: a, container: {image: i}, "
    (problem,) = problems_of(text + "output: [{name: o, type: flaot32}]}")
    assert str(problem) == (
        "main.yaml:4:61: the type of an output of operator `a` is unknown (found 'flaot32', "
        "expected stream, array, string or a primitive such as float32); did you mean `float32`?"
    )


def test_missing_property_and_unknown_operator_come_with_what_is_expected():
    check_refused(
        """
        api-version: 0.5.0
        name: test
        operators:
        - name: one
          container: §{}
          output: [§{name: x}]
        - name: two
          container: {image: i}
          input: [{from: §none, name: x, type: string}]
        """,
        "(expected the name of an image, such as demo/segment)",
        "(expected stream, array, string or a primitive such as float32)",
        "(found 'none', expected 'one')",
    )


def test_a_warning_that_may_be_the_reason_is_shown_with_the_error():
    with pytest.raises(DefinitionError) as caught:
        load_definition({"a.yaml": "Api-Version: 0.4.0\nname: x\noperators: []\n"})
    assert "no `api-version`" in str(caught.value)
    assert "warning: a.yaml:1:1" in str(caught.value)
