# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.helpers.workshop import CLARA, PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.workshop import Workshop

CHAIN = """
    api-version: 0.4.0
    name: chain
    parameters: {word: hello}
    operators:
    - name: first
      container: {image: demo/first, command: <first>}
      variables: {WORD: "${{ word }}"}
      output: [{path: /out}]
    - name: second
      container: {image: demo/second, command: <second>}
      input: [{from: first, path: /in}]
      output: [{path: /out}]
    """


@pytest.fixture
def chain(workshop: Workshop) -> Path:
    workshop.shell("first", "echo $WORD > /out/word; echo said")
    workshop.shell("second", "cat /in/word /in/word > /out/words")
    return workshop.define(CHAIN)


def test_plain_lines_then_tables(workshop: Workshop, chain: Path) -> None:
    run = workshop.clara("run", chain, "--output", workshop.output, "-a", "word=bye")
    assert (run.returncode, run.stderr) == (0, "")
    assert workshop.result("second", "words") == "bye\nbye\n"
    lines = run.stdout.splitlines()
    assert "[first] said" in lines
    assert any(line.startswith("second: completed at ") for line in lines)
    tables = run.stdout.partition("Operators")[2].split()
    for column in ("PREPARE", "WAIT", "EXECUTE", "BYTES"):
        assert column in tables
    assert not any(line != line.rstrip() for line in lines)
    (edge,) = [line.split() for line in lines if line.split()[:2] == ["first", "second"]]
    assert edge == ["first", "second", "disk", "1", "4", "B"]
    assert f"results: {workshop.output}" in lines


def test_json_is_a_line_for_each_event_and_the_result_last(workshop: Workshop, chain: Path) -> None:
    run = workshop.clara("run", chain, "--output", workshop.output, "--json")
    assert run.returncode == 0
    *events, result = map(json.loads, run.stdout.splitlines())
    assert {"kind": "log", "operator": "first", "text": "said"} in events
    states = [event["state"] for event in events if event["operator"] == "second"]
    assert states == ["execute", "completed"]
    assert result.pop("kind") == "result"
    assert result["status"] == "succeeded"
    assert [each["name"] for each in result["operators"]] == ["first", "second"]
    assert result == json.loads((workshop.output / "job.json").read_text())


def test_quiet_json_is_the_result_alone(workshop: Workshop, chain: Path) -> None:
    run = workshop.clara("run", chain, "--json", "--quiet")
    assert [json.loads(line)["kind"] for line in run.stdout.splitlines()] == ["result"]


def test_whoever_gave_no_output_folder_is_told_that_results_are_not_kept(
    workshop: Workshop, chain: Path
) -> None:
    run = workshop.clara("run", chain)
    assert run.stdout.splitlines()[-1] == "results: not kept; --output DIR keeps them"


def test_quiet_prints_only_failures(workshop: Workshop, chain: Path) -> None:
    run = workshop.clara("run", chain, "--quiet")
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    workshop.shell("second", "echo reason; exit 4")
    run = workshop.clara("run", workshop.define(CHAIN), "--quiet")
    assert (run.returncode, run.stdout) == (3, "")
    assert "operator 'second' failed in execute" in run.stderr
    assert "the process exited with code 4\nits last output:\n  reason\n" in run.stderr


def test_images_file_gives_the_entry_point(workshop: Workshop) -> None:
    (workshop.folder / "images.yaml").write_text(
        'images: {demo/first: {command: [sh, -c, "echo $0 > /out/word"]}}'
    )
    path = workshop.define("""
        api-version: 0.4.0
        name: one
        operators:
        - name: first
          container: {image: demo/first, command: [argument]}
          output: [{path: /out}]
        """)
    run = workshop.clara("run", path, "--images", "images.yaml", "-o", workshop.output)
    assert run.returncode == 0, run.stderr
    assert workshop.result("first", "word") == "argument\n"


def test_time_limit_has_its_exit_code(workshop: Workshop) -> None:
    workshop.shell("first", "exec sleep 1000")
    workshop.shell("second", "true")
    run = workshop.clara("run", workshop.define(CHAIN), "--timeout", "0.5")
    assert run.returncode == 8
    assert "time limit of 0.5 s" in run.stderr


def test_relative_commands_are_found_beside_the_pipeline(
    workshop: Workshop, tmp_path: Path
) -> None:
    (workshop.folder / "program.py").write_text("print('found')")
    path = workshop.define("""
        api-version: 0.4.0
        name: one
        operators:
        - name: only
          container: {image: a, command: [python, program.py]}
        """)
    (tmp_path / "elsewhere").mkdir()
    run = subprocess.run(
        [*CLARA, "run", str(path)],
        check=False,
        cwd=tmp_path / "elsewhere",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert "[only] found" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.yaml"], "none.yaml"),
        (["pipeline.yaml", "--input", "none"], "none"),
        (["pipeline.yaml", "--images", "none.yaml"], "none.yaml"),
        (["pipeline.yaml", "-a", "other=1"], "other"),
        (["pipeline.yaml", "--timeout", "soon"], "--timeout"),
        ([], "PIPELINE"),
    ],
)
def test_mistakes_of_the_caller_are_told_apart(
    workshop: Workshop, chain: Path, arguments: list[str], message: str
) -> None:
    run = workshop.clara("run", *arguments)
    assert run.returncode == 2
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert not workshop.output.exists()
    assert chain.exists()


def test_earlier_results_are_not_replaced_by_mistake(workshop: Workshop, chain: Path) -> None:
    assert workshop.clara("run", chain, "-o", workshop.output).returncode == 0
    again = workshop.clara("run", chain, "-o", workshop.output)
    assert again.returncode == 5
    assert "earlier run" in again.stderr
    assert workshop.clara("run", chain, "-o", workshop.output, "--overwrite").returncode == 0


def test_table_is_drawn_in_a_terminal(workshop: Workshop) -> None:
    os.mkfifo(workshop.folder / "go")
    workshop.shell("first", f"echo said; read on < {workshop.folder}/go")
    workshop.shell("second", "true")
    path = workshop.define(CHAIN)
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(
        [*CLARA, "run", str(path), "-o", str(workshop.output)],
        stdout=follower,
        stderr=follower,
        env=environment,
    )
    os.close(follower)
    drawn = b""
    try:
        while b"execute" not in drawn:
            drawn += os.read(leader, 4096)
        (workshop.folder / "go").write_text("on\n")
        with contextlib.suppress(OSError):  # The end, on a terminal.
            while True:
                drawn += os.read(leader, 4096)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        os.close(leader)
    text = drawn.decode()
    for word in (
        "OPERATOR",
        "PASSED ON",
        "MEMORY",
        "running",
        "in context chain-",
        "[first]",
        "said",
    ):
        assert word in text


def test_reader_that_goes_away_does_not_stop_the_job(workshop: Workshop) -> None:
    workshop.shell("first", "seq 100000; echo x > /out/word")
    workshop.shell("second", "cat /in/word > /out/words")
    command = [*CLARA, "run", str(workshop.define(CHAIN)), "-o", str(workshop.output)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE) == 1
    assert workshop.result("second", "words") == "x\n"


def test_without_the_extra_the_message_names_it(tmp_path: Path) -> None:
    # A folder before all others that hides the library which the extra would install.
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError('no', name='typer')")
    run = subprocess.run(
        [sys.executable, "-c", "import clara_fastio.cli as cli; cli.main()"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=PATIENCE,
    )
    assert run.returncode == 1
    assert run.stderr == (
        "clara: typer is not installed; the command line needs "
        "pip install 'clara-fastio[pipeline]'\n"
    )
