# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.helpers.workshop import Workshop

GOOD = """
    api-version: 0.4.0
    name: good
    parameters: {level: "1"}
    operators:
    - name: one
      container: {image: a}
      variables: {LEVEL: "${{ level }}"}
      output: [{path: /out}]
    - name: two
      container: {image: a}
      input: [{from: one, path: /in}]
    """
STREAM = """
    api-version: 1.0.0
    name: frames
    operators:
    - name: camera
      container: {image: a}
      output: [{name: x, type: array, element-type: u8, shape: [4], queue: {depth: 2}}]
    - name: left
      container: {image: a}
      input: [{from: camera, name: x, type: array, element-type: u8, shape: [4], share: both}]
    - name: right
      container: {image: a}
      input: [{from: camera, name: x, type: array, element-type: u8, shape: [4], share: both}]
    - name: screen
      container: {image: a}
      input:
      - {from: camera, name: x, type: array, element-type: u8, shape: [4], policy: latest,
         deadline: 0.5}
      output:
      - {name: y, type: array, element-type: u8, shape: [4], queue: {policy: sample(3)}}
    """
PLACED = """
    api-version: 1.0.0
    name: placed
    operators:
    - name: give
      container: {image: a}
      output:
      - {name: a, type: array, element-type: f32, shape: [-1, 4], memory: device}
      - {name: b, type: array, element-type: u8, shape: [4], memory: device, device: "cuda:1",
         fallback: host}
      - {name: c, type: array, element-type: u8, shape: [4], pinned: true}
      - {name: d, type: array, element-type: u8, shape: [4], pinned: false}
    """
BAD = """
    api-version: 0.4.0
    name: bad
    operators:
    - name: one
      container: {image: a}
      input: [{from: nobody, path: relative}]
    - name: ONE
      container: {image: a}
    """


def test_good_definition_is_summed_up(workshop: Workshop) -> None:
    run = workshop.clara("validate", workshop.define(GOOD))
    assert (run.returncode, run.stderr) == (0, "")
    assert "valid: good" in run.stdout
    assert "(one, two)" in run.stdout


def test_streams_are_shown_with_their_queue_and_edges(workshop: Workshop) -> None:
    path = workshop.define(STREAM)
    run = workshop.clara("validate", path)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[1:] == [
        "  camera.x (queue of 2) -> left: block, shared by both",
        "  camera.x (queue of 2) -> right: block, shared by both",
        "  camera.x (queue of 2) -> screen: latest, deadline 0.5 s",
        "  screen.y (queue of 4): nobody takes its frames",
    ]
    (report,) = json.loads(workshop.clara("validate", path, "--json").stdout)
    first, second = report["streams"]
    assert (first["queue"]["depth"], second["queue"]["policy"]) == (2, "sample(3)")
    assert [edge["name"] for edge in first["edges"]] == ["both", "both", "screen/x"]


def test_outputs_on_devices_are_shown_with_where_they_lie(workshop: Workshop) -> None:
    path = workshop.define(PLACED)
    run = workshop.clara("validate", path)
    assert (run.returncode, run.stderr) == (0, "")
    copied = ", copied through the host where it cannot be shared"
    assert run.stdout.splitlines()[1:] == [
        "  give.a (float32[-1, 4]): memory of the first device of give",
        f"  give.b (uint8[4]): memory of device 1 of give{copied}",
        "  give.c (uint8[4]): pinned memory of the host",
    ]
    (report,) = json.loads(workshop.clara("validate", path, "--json").stdout)
    assert report["placements"][1] == {
        "operator": "give",
        "output": "b",
        "element_type": "uint8",
        "shape": [4],
        "memory": "device",
        "device": 1,
        "fallback": "host",
        "pinned": False,
    }


def test_all_problems_are_reported_with_their_place_and_no_traceback(workshop: Workshop) -> None:
    path = workshop.define(BAD)
    run = workshop.clara("validate", path)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert run.stderr.startswith(f"{path}: ")
    assert "pipeline.yaml:7:" in run.stderr
    assert "pipeline.yaml:8:" in run.stderr
    assert "nobody" in run.stderr


def test_json_names_each_problem_of_each_file(workshop: Workshop) -> None:
    bad = workshop.define(BAD).rename(workshop.folder / "bad.yaml")
    good = workshop.define(GOOD)
    run = workshop.clara("validate", good, bad, "--json")
    assert run.returncode == 2
    first, second = json.loads(run.stdout)
    assert first["valid"] is True
    assert first["operators"] == ["one", "two"]
    assert second["valid"] is False
    assert {problem["line"] for problem in second["problems"]} >= {7, 8}
    assert all(problem["file"] == str(bad) for problem in second["problems"])


def test_problems_of_imported_files_have_paths_that_can_be_opened_from_here(
    workshop: Workshop,
) -> None:
    (workshop.folder / "deep" / "parts").mkdir(parents=True)
    (workshop.folder / "deep" / "parts" / "stage.yaml").write_text(
        "name: stage\ncontainer: {image: a}\ninput: [{path: relative}]\n"
    )
    main = workshop.define("""
        api-version: 0.4.0
        name: importing
        operators:
        - name: one
          import: {path: parts/stage.yaml}
        """)
    main.rename(workshop.folder / "deep" / "main.yaml")
    for command in ("validate", "run"):
        run = workshop.clara(command, "deep/main.yaml")
        assert run.returncode == 2
        assert "\n  deep/parts/stage.yaml:3:16: " in run.stderr


def test_arguments_are_checked_too(workshop: Workshop) -> None:
    path = workshop.define(GOOD)
    assert workshop.clara("validate", path, "-a", "level=2").returncode == 0
    wrong = workshop.clara("validate", path, "-a", "lvl=2")
    assert wrong.returncode == 2
    assert "lvl" in wrong.stderr
    malformed = workshop.clara("validate", path, "-a", "level")
    assert malformed.returncode == 2
    assert "NAME=VALUE" in malformed.stderr


def test_missing_file_is_a_clear_message(workshop: Workshop) -> None:
    run = workshop.clara("validate", "none.yaml")
    assert run.returncode == 2
    assert "none.yaml" in run.stderr
    assert "Traceback" not in run.stderr
