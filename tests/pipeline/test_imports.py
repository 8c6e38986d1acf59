# SPDX-License-Identifier: Apache-2.0
"""Definitions of several files."""

from __future__ import annotations

import pytest

from clara_fastio.errors import DefinitionError, NotFoundError
from clara_fastio.pipeline import load_definition
from tests.pipeline.definitions import problems_of, resolve

HEAD = "api-version: 0.4.0\nname: x\noperators:\n"
STAGE = "name: stage\ncontainer: {image: demo/stage}\n"


def importing(*paths: str) -> str:
    lines = (
        f"- {{name: n{number}, import: {{path: {path}}}}}\n" for number, path in enumerate(paths)
    )
    return HEAD + "".join(lines)


def test_name_of_the_file_is_used_when_there_is_none_beside_the_import():
    pipeline = resolve({"main": HEAD + "- import: {path: s}", "s": STAGE})
    assert pipeline.operators[0].name == "stage"


def test_paths_are_relative_to_the_importing_file():
    files = {
        "a/main.yaml": importing("../b/outer.yaml", "./c/../stage.yaml"),
        "b/outer.yaml": "import: {path: inner/stage.yaml}\ndescription: outer\n",
        "b/inner/stage.yaml": STAGE + "description: inner\n",
        "a/stage.yaml": STAGE,
    }
    first, second = resolve(files).operators
    assert (first.name, first.description) == ("n0", "outer")
    assert second.description == ""


def test_override_replaces_the_whole_property():
    files = {
        "main": HEAD
        + "- import: {path: s}\n  container: {image: other}\n  variables: {B: 2}\n  input: ~\n",
        "s": "name: stage\ncontainer: {image: demo/stage, tag: 3, command: [run]}\n"
        "variables: {A: 1}\ninput: [{path: /in}]\noutput: [{path: /out}]\n",
    }
    (operator,) = resolve(files).operators
    assert (operator.image, operator.command) == ("other:latest", ())
    assert operator.variables == {"B": "2"}
    assert operator.inputs == ()
    assert operator.outputs[0].path == "/out"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/s.yaml", "rooted path"),
        ("\\\\s.yaml", "rooted path"),
        ("C:/s.yaml", "rooted path"),
        ("https://x/s.yaml", "rooted path"),
        ("S2.yaml", "did you mean `s.yaml`?"),
        ("''", "has no `path`"),
        ("[s.yaml]", "is not a text"),
        ('"a\\x0bc"', "no such file"),
        ("main.yaml", "these files import each other: main.yaml -> main.yaml"),
        ("other.yaml", "holds a pipeline"),
        ("list.yaml", "is not an object"),
        ("bad.yaml", "not YAML"),
        ("empty.yaml", "there is nothing in the file"),
        ("latin.yaml", "is not UTF-8"),
        ("new.yaml", "`api-version` is not supported"),
    ],
)
def test_import_that_is_refused(path, message):
    files = {
        "main.yaml": importing(path),
        "s.yaml": STAGE,
        "other.yaml": importing("s.yaml"),
        "list.yaml": "[a]",
        "bad.yaml": "a: [",
        "empty.yaml": "# nothing\n",
        "latin.yaml": b"a: \xe9",
        "new.yaml": "api-version: 9.0.0\n" + STAGE,
    }
    with pytest.raises(DefinitionError) as caught:
        load_definition(files)
    (problem,) = caught.value.problems
    assert message in str(problem)


def test_files_that_import_each_other_are_shown_as_a_path():
    files = {
        "main": importing("a"),
        "a": "import: {path: b}",
        "b": "import: {path: c}",
        "c": "import: {path: a}",
    }
    (problem,) = problems_of(files)
    assert "a -> b -> c -> a" in problem.message
    assert (problem.file, problem.line, problem.column) == ("c", 1, 16)


def test_depth_of_imports_is_limited():
    def chain(length: int) -> dict[str, str]:
        files = {f"s{number}": f"import: {{path: s{number + 1}}}" for number in range(length - 1)}
        return {"main": importing("s0")} | files | {f"s{length - 1}": STAGE}

    assert resolve(chain(16)).operators[0].image == "demo/stage:latest"
    (problem,) = problems_of(chain(17))
    assert "nested too deeply" in problem.message


def test_arguments_and_defaults():
    stage = STAGE + 'parameters: {a: "1", b: "2"}\nvariables: {A: "${{ a }}", B: "${{ b }}"}\n'
    files = {"main": HEAD + "- import: {path: s, args: {A: 7, b: }}", "s": stage}
    assert resolve(files).operators[0].variables == {"A": "7", "B": ""}
    files["main"] = HEAD + "- import: {path: s, args: {c: 7, d: 8, a: [x]}}"
    messages = [str(problem) for problem in problems_of(files)]
    assert len(messages) == 3
    assert "'c' is not a parameter of s" in messages[0]
    assert "`a` is not a text" in messages[2]


def test_imported_file_does_not_see_the_parameters_of_the_pipeline():
    files = {
        "main": "parameters: {level: '3'}\n" + importing("s"),
        "s": STAGE + "description: ${{ level }}\n",
    }
    (problem,) = problems_of(files)
    assert (problem.file, problem.line) == ("s", 3)
    assert "names no parameter" in problem.message


def test_path_may_hold_a_placeholder():
    files = {
        "main": "parameters: {which: ''}\n" + importing("'${{ which }}.yaml'"),
        "a.yaml": STAGE + "input: [{path: /in}]\n",
    }
    definition = load_definition(files)
    assert definition.resolve({"which": "a"}).operators[0].image == "demo/stage:latest"
    with pytest.raises(DefinitionError, match="no such file"):
        definition.resolve({"which": "b"})


def test_operator_whose_file_is_missing_is_not_also_called_unknown():
    text = importing("gone") + "- {name: b, container: {image: i}, input: [{from: N0, path: /a}]}\n"
    (problem,) = problems_of(text)
    assert "no such file" in problem.message


def test_malformed_file_that_is_imported_twice_is_reported_once():
    (problem,) = problems_of({"main": importing("s", "s"), "s": "container: ["})
    assert (problem.file, problem.line, problem.column) == ("s", 1, 13)


def test_problem_of_an_imported_operator_is_shown_in_its_file():
    files = {"main": importing("s", "s"), "s": "container: {image: i}\nrequests: {cpu: x}\n"}
    problems = problems_of(files)
    assert {(problem.file, problem.line, problem.column) for problem in problems} == {("s", 2, 17)}
    assert ["`n0`" in problem.message for problem in problems] == [True, False]


def test_problems_are_sorted_by_file_and_line():
    files = {
        "main": HEAD.replace("name: x", "name: a b") + "- import: {path: z}\n- import: {path: y}\n",
        "z": "name: z\n",
        "y": "name: y\ncontainer: {}\n",
    }
    places = [(problem.file, problem.line) for problem in problems_of(files)]
    assert places == [("main", 2), ("main", 4), ("y", 2)]


def test_service_may_be_imported():
    files = {
        "main": importing("ops/s"),
        "ops/s": STAGE + "services:\n- {name: local, import: {path: ../lib/service}}\n",
        "lib/service": "name: remote\ncontainer: {image: '${{ a }}', tag: 1}\n".replace(
            "'${{ a }}'", "i"
        )
        + "description: ${{ not replaced }}\n",
    }
    (service,) = resolve(files).operators[0].services
    assert (service.name, service.image) == ("local", "i:1")
    assert service.description == "${{ not replaced }}"


def test_arguments_for_a_service_are_ignored_with_a_warning():
    files = {
        "main": HEAD
        + "- name: a\n  container: {image: i}\n  services:\n  - import: {path: s, args: {a: b}}\n",
        "s": STAGE,
    }
    (warning,) = load_definition(files).warnings
    assert "takes no `args`" in warning.message


@pytest.mark.parametrize(
    "entry",
    [
        "- {import: {path: s}, parameters: {}}",
        "- {name: a, container: {image: i}, parameters: {a: b}}",
    ],
)
def test_parameters_without_effect_are_warned_of(entry):
    (warning,) = load_definition({"main": HEAD + entry, "s": STAGE}).warnings
    assert "no effect" in warning.message


def test_file_for_another_kind_of_version_is_warned_of():
    files = {"main": importing("s"), "s": "api-version: 0.5.0\n" + STAGE}
    (warning,) = load_definition(files).warnings
    assert "this file is for 0.5.0" in warning.message


def test_parts_whose_names_differ_by_case_are_one_file():
    text = importing("PARTS/Stage.yaml")
    half = len(text) // 2
    parts = [("Main.yaml", text[:half]), ("parts/stage.yaml", STAGE), ("MAIN.yaml", text[half:])]
    definition = load_definition(parts)
    assert definition.resolve().operators[0].image == "demo/stage:latest"
    assert load_definition(parts, main="main.YAML").name == "x"


def test_main_file_is_the_first_or_the_one_that_is_named():
    files = {"s.yaml": STAGE, "main.yaml": importing("s.yaml")}
    assert load_definition(files, main="main.yaml").name == "x"
    with pytest.raises(DefinitionError):
        load_definition(files)
    with pytest.raises(NotFoundError):
        load_definition(files, main="other.yaml")
    with pytest.raises(NotFoundError):
        load_definition({})


def test_files_on_disk(tmp_path):
    (tmp_path / "Parts").mkdir()
    (tmp_path / "Parts" / "stage.yaml").write_text(STAGE)
    main = tmp_path / "main.yaml"
    main.write_text(importing("parts/Stage.yaml"))
    assert load_definition(str(main)).resolve().operators[0].image == "demo/stage:latest"
    with pytest.raises(NotFoundError):
        load_definition(tmp_path / "other.yaml")
    with pytest.raises(NotFoundError):
        load_definition(tmp_path)
    with pytest.raises(NotFoundError):
        load_definition(tmp_path / ("x" * 300))


def test_file_that_cannot_be_read(tmp_path):
    # Reading one's own memory from address zero fails, for the superuser as well.
    (tmp_path / "main.yaml").symlink_to("/proc/self/mem")
    with pytest.raises(DefinitionError, match="cannot be read"):
        load_definition(tmp_path / "main.yaml")
    (tmp_path / "other.yaml").write_text(importing("main.yaml", "y" * 300))
    with pytest.raises(DefinitionError, match="cannot be read") as caught:
        load_definition(tmp_path / "other.yaml")
    assert [each.message for each in caught.value.problems] == [
        "there is no such file to import",
        "the file cannot be read",
    ]


def test_import_that_is_not_an_object():
    (problem,) = problems_of({"main": HEAD + "- {name: a, import: s}", "s": STAGE})
    assert "`import` is not an object" in problem.message


def test_service_whose_file_is_missing():
    entry = "- {name: a, container: {image: i}, services: [{import: {path: gone}}]}"
    (problem,) = problems_of(HEAD + entry)
    assert "no such file" in problem.message


def test_import_does_not_leave_the_folder_of_the_main_file(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "stage.yaml").write_text(STAGE)
    main = tmp_path / "inner" / "main.yaml"
    main.write_text(importing("../stage.yaml", "../../x", "gone.yaml", "a/../main2.yaml"))
    with pytest.raises(DefinitionError) as caught:
        load_definition(main)
    messages = [problem.message for problem in caught.value.problems]
    assert ["leaves the folder" in message for message in messages] == [True, True, False, False]
    assert caught.value.problems[3].hint == "did you mean `main.yaml`?"


def test_definition_does_not_read_its_files_again(tmp_path):
    (tmp_path / "s").write_text(STAGE)
    main = tmp_path / "main.yaml"
    main.write_text(importing("s"))
    definition = load_definition(main)
    (tmp_path / "s").unlink()
    main.unlink()
    assert definition.resolve().operators[0].image == "demo/stage:latest"
