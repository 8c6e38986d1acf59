# SPDX-License-Identifier: Apache-2.0
"""Texts that are not what they should be, or mean harm."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clara_fastio.errors import DefinitionError
from clara_fastio.pipeline import load_definition
from tests.pipeline.definitions import check_refused, problems_of, resolve

TAIL = "api-version: 0.4.0\nname: x\noperators: [{name: a, container: {image: i}}]\n"

REFUSED = [
    (TAIL + "description: §!!python/object/apply:os.system ls\n", "tags are not part"),
    (TAIL + "description: §!mine x\n", "tags are not part"),
    (TAIL + "§name: y\n", "'name' appears twice"),
    (TAIL + "? §[a, b]\n: c\n", "a key must be a text"),
    (TAIL + "x: &a {b: c}\ny: {§<<: *a}\n", "merge keys"),
    (TAIL + "x: §*a\n", "an unknown alias"),
    (TAIL + "x: &a [§*a]\n", "an alias inside of what it stands for"),
    (TAIL + 'description: §"\\0"\n', "no program can be given"),
    (TAIL + 'description: §"\\ud800"\n', "no program can be given"),
    (TAIL + "x: §\x07\n", "this is not YAML: the character U+0007"),
    (TAIL + '§x: "\\UFFFFFFFF"\n', "this is not YAML"),
    (TAIL + '§x: "\\U00110000"\n', "this is not YAML"),
    ("§%YAML 1.3\n---\na: b\n", "this is not YAML"),
    (TAIL + "x:\n§\ty: z\n", "indent with spaces, not with tabs"),
    (TAIL + "x: [$§{{ a }}]\n", "put placeholders between [] or {} into quotes"),
    (TAIL + "§---\na: b\n", "a second YAML document"),
    (TAIL + "x: " + "[" * 31 + "§[", "nested too deeply"),
    (TAIL + "x: " + "a" * 65533 + "§a\n", "this line has more than 65536 characters"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case[1])
def test_text_that_is_refused(case):
    text, message = case
    check_refused(text, message)


def test_aliases_cannot_make_a_definition_large_or_deep():
    wide = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        wide += f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    assert "too large, counting what aliases stand for" in problems_of(wide)[0].message
    deep = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 100))
    assert "nested too deeply, counting what aliases" in problems_of(deep)[0].message


def test_aliases_are_shared_values():
    text = """
        api-version: 0.4.0
        name: x
        parameters: {p: q}
        operators:
        - {name: a, container: &c {image: i, tag: "${{ p }}"}}
        - {name: b, container: *c}
    """
    assert [each.image for each in resolve(text, {"p": "r"}).operators] == ["i:r", "i:r"]


def test_imports_cannot_make_a_definition_large():
    operators = "".join(f"- {{name: a{n}, import: {{path: s}}}}\n" for n in range(40))
    files = {
        "main": f"api-version: 0.4.0\nname: x\noperators:\n{operators}",
        "s": f"container: {{image: i}}\nx: &x [{'y, ' * 100}]\nz: [{'*x, ' * 90}]\n",
    }
    assert any("too large together" in problem.message for problem in problems_of(files))


def test_files_cannot_be_large():
    with pytest.raises(DefinitionError, match="too large") as caught:
        load_definition({"main": TAIL, "other": "#" * (1 << 20)})
    assert len(caught.value.problems) == 1


def test_byte_order_mark_and_first_line_of_a_shell_are_accepted():
    assert load_definition({"main": b"\xef\xbb\xbf" + TAIL.encode()}).name == "x"
    assert load_definition({"main": "#!/bin/bash\n" + TAIL}).name == "x"
    assert load_definition({"main": TAIL.replace("\n", "\r\n")}).name == "x"


def test_file_that_is_not_utf8_is_refused_where_it_is_not():
    with pytest.raises(DefinitionError) as caught:
        load_definition({"main": b"name: x\n# \xff\n"})
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.found) == (2, 3, "the byte 0xff")


def test_missing_library_is_named_with_the_extra_that_brings_it():
    program = (
        "import sys; sys.modules['ruamel.yaml'] = None\n"
        "try: import clara_fastio.pipeline\n"
        "except ImportError as error: print(error)"
    )
    command = [sys.executable, "-c", program]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "pip install 'clara-fastio[pipeline]'" in output
