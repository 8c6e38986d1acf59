# SPDX-License-Identifier: Apache-2.0
"""Whatever the text is, it is read or refused, and nothing else happens."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clara_fastio.errors import DefinitionError
from clara_fastio.pipeline import load_definition, properties
from clara_fastio.pipeline.types import TYPE_NAMES
from tests.pipeline.definitions import DATA

# How long one example takes says nothing; a database would be left in the tree.
PATIENT = settings(
    deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow], max_examples=100
)

REAL = [path.read_text() for path in sorted(DATA.glob("*.yaml"))]
TYPED = Path(__file__).parent.joinpath("typed.yaml").read_text()
TABLES = [table for table in vars(properties).values() if isinstance(table, dict)]
KEYS = sorted({name for table in TABLES for name in table if "-" in name or name.islower()})
WORDS = [
    *("a", "b", "A", "/in", "/out", "Clara", "1", "-1", "0.4.0", "0.5.0", "1.0.0", "~", "", "x"),
    *(
        "${{ a }}",
        "${{ b }}",
        "${{",
        "true",
        "main.yaml",
        "part.yaml",
        "host",
        "device",
        *TYPE_NAMES,
    ),
]
TEXTS = st.sampled_from(WORDS)


def check(files: dict[str, str | bytes], arguments: dict[str, str] | None = None) -> None:
    """Load and resolve; whatever is refused must say where."""
    refusal: DefinitionError | None = None
    try:
        definition = load_definition(files)
        assert definition.resolve(arguments).operators
    except DefinitionError as error:
        refusal = error
    if refusal is None:
        return
    places = [(problem.file, problem.line, problem.column) for problem in refusal.problems]
    assert places
    assert all(line >= 1 and column >= 1 for _, line, column in places)
    assert {file for file, _, _ in places} <= set(files)
    assert all(problem.message in str(problem) for problem in refusal.problems)


@PATIENT
@given(st.text(), st.dictionaries(st.text(), st.text(), max_size=2))
def test_any_text(text, arguments):
    check({"main.yaml": text}, arguments)


@PATIENT
@given(st.binary())
def test_any_bytes(content):
    check({"main.yaml": content})


@PATIENT
@given(st.text("abc:-[]{}#&*!|>'\"%@`,?<~$ \n\t0123.", max_size=60))
def test_any_text_of_characters_that_yaml_gives_a_meaning(text):
    check({"main.yaml": text})
    check({"main.yaml": "api-version: 0.4.0\nname: x\noperators:\n" + text})
    check({"main.yaml": "api-version: 0.5.0\nname: x\noperators:\n- name: a\n  output: " + text})


@PATIENT
@given(
    st.sampled_from([*REAL, TYPED]),
    st.lists(
        st.tuples(st.integers(0, 2000), st.integers(0, 40), st.text(max_size=6) | TEXTS), max_size=4
    ),
)
def test_a_definition_with_random_changes(text, changes):
    for place, removed, added in changes:
        text = text[:place] + added + text[place + removed :]
    check({"main.yaml": text})


NODES = st.recursive(
    TEXTS,
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | TEXTS, children, max_size=6)
    ),
    max_leaves=30,
)


def write(node: object) -> str:
    if isinstance(node, str):
        return f'"{node}"'
    if isinstance(node, list):
        return "[" + ", ".join(map(write, node)) + "]"
    assert isinstance(node, dict)
    return "{" + ", ".join(f'"{key}": {write(value)}' for key, value in node.items()) + "}"


@st.composite
def operators(draw: st.DrawFn) -> dict[str, object]:
    shape = dict.fromkeys(draw(st.sets(st.sampled_from(KEYS), max_size=8)), NODES)
    entry = st.fixed_dictionaries(
        {}, optional=dict.fromkeys((*properties.INPUT, *properties.OUTPUT), TEXTS | NODES)
    )
    likely = {
        "name": TEXTS,
        "container": st.fixed_dictionaries({"image": TEXTS}),
        "input": st.lists(entry, max_size=3),
        "output": st.lists(entry, max_size=3),
        "import": st.fixed_dictionaries({"path": TEXTS}),
        "after": st.lists(TEXTS, max_size=2),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(likely))))
    return draw(st.fixed_dictionaries(shape | {name: likely[name] for name in chosen}))


@PATIENT
@given(
    st.sampled_from(["0.4.0", "0.5.0", "0.7.0", "1.0.0", "9"]),
    st.lists(operators(), max_size=4),
    st.dictionaries(st.sampled_from(["a", "b"]), TEXTS),
    operators(),
)
def test_definitions_of_random_properties(version, entries, parameters, part):
    main = {"api-version": version, "name": "x", "operators": entries, "parameters": parameters}
    check({"main.yaml": write(main), "part.yaml": write(part)}, {"a": "b"})
