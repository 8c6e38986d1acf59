# SPDX-License-Identifier: Apache-2.0
"""The reference page says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clara_fastio.pipeline import load_definition, properties, types
from clara_fastio.pipeline.properties import Since
from tests.pipeline.definitions import problems_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "pipeline-language.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
REFUSED = [block for block in BLOCKS if block.startswith("# refused: ")]
FILES = [block for block in BLOCKS if block.startswith("# file: ")]
GOOD = [block for block in BLOCKS if block not in REFUSED + FILES]

TABLES = {
    "Pipeline": properties.PIPELINE,
    "Operator": properties.OPERATOR,
    "Container": properties.CONTAINER,
    "Input": properties.INPUT,
    "Output": properties.OUTPUT,
    "Queue": properties.QUEUE,
    "Requests": properties.REQUESTS,
    "Import": properties.IMPORT,
    "Service": properties.SERVICE,
    "Connections": properties.CONNECTIONS,
    "Connection over http": properties.HTTP,
    "Connection by volume": properties.VOLUME,
    "Model": properties.MODEL,
}


def test_the_page_has_examples_of_each_kind():
    assert (len(GOOD), len(REFUSED), len(FILES)) == (7, 5, 2)


@pytest.mark.parametrize("text", GOOD)
def test_example_is_accepted_without_a_warning(text):
    definition = load_definition({"main.yaml": text})
    assert definition.resolve().operators
    assert definition.warnings == ()


@pytest.mark.parametrize("text", REFUSED)
def test_refused_example_is_refused_for_its_reason_alone(text):
    reason = text.partition("\n")[0].removeprefix("# refused: ")
    (problem,) = problems_of(text)
    assert reason in problem.message


def test_files_of_an_example_belong_together():
    files = [(block.partition("\n")[0].removeprefix("# file: "), block) for block in FILES]
    first, second = load_definition(files).resolve({"level": "5"}).operators
    assert (first.variables, second.variables) == ({"STRENGTH": "5"}, {"STRENGTH": "1"})
    assert (first.image, second.image) == ("demo/stage:latest", "demo/other-stage:2")
    assert (first.inputs[0].source, second.inputs[0].source) == (None, "first")


def test_placeholders_of_an_example_are_read_as_the_types_of_their_properties():
    (text,) = [block for block in GOOD if "adjustable" in block]
    (operator,) = load_definition({"main.yaml": text}).resolve().operators
    assert operator.image == "demo/work:20.10-slim"
    assert operator.command == ("run", "--fast")
    assert operator.requests.cpu == 2


@pytest.mark.parametrize("heading", TABLES)
def test_table_lists_each_property_with_its_first_version(heading):
    section = re.search(rf"^### {heading}\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert section
    rows = re.findall(r"^\| `([\w-]+)` \|([^|]*)\| ([\w.]+) \|", section[1], re.MULTILINE)
    shown = {name: since for name, _, since in rows}
    known = TABLES[heading].items()
    assert shown == {
        name: "reserved" if since is Since.RESERVED else str(since.value) for name, since in known
    }
    for name, since in known:
        if since is Since.EXTENSION:
            assert re.search(rf"^\| `{name}` \|.*\| extension: ", section[1], re.MULTILINE)


def test_every_table_of_properties_is_documented():
    tables = [value for name, value in vars(properties).items() if re.fullmatch("[A-Z]+", name)]
    tables = [table for table in tables if isinstance(table, dict)]
    assert all(any(table is known for known in TABLES.values()) for table in tables)


def test_every_primitive_is_named_with_its_alias():
    text = " ".join(PAGE.split())
    for alias, name in types.ALIASES.items():
        assert f"`{name}` `{alias}`" in text
