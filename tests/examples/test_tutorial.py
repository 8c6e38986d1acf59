# SPDX-License-Identifier: Apache-2.0
"""What the tutorial tells people to type works, word for word."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

TUTORIAL = (Path(__file__).resolve().parents[2] / "docs" / "tutorial.md").read_text()
BLOCKS = re.findall(r"```(?:python|yaml)\n(.*?)```", TUTORIAL, re.DOTALL)
HOST, CLIENT = (block for block in BLOCKS if '_context("hello")' in block)


def clara(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "clara_fastio.cli", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=40,
    )


@pytest.fixture
def folder(tmp_path):
    """Hold every file of the tutorial: blocks that begin with a file's name."""
    for block in BLOCKS:
        if name := re.match(r"# (\w+\.(?:py|yaml))\n", block):
            (tmp_path / name[1]).write_text(block)
    return tmp_path


def test_two_processes_share_the_array(run_program, context_name):
    def text(block, then):
        return block.replace("hello", context_name) + textwrap.dedent(then)

    host = run_program(
        text(
            HOST,
            """
            print("ready", flush=True)
            input()
            with frame.map("w") as array:
                array[...] = 9
            input()
            """,
        )
    )
    host.expect("ready")
    refused = run_program(text(CLIENT, ""))
    assert refused.read_line() == f"(480, 640) {100 * 100 * 255 / (480 * 640)}"
    assert refused.wait() == 1
    assert "ValueError: assignment destination is read-only" in refused.errors

    waiting = run_program(
        text(
            CLIENT.replace("    array[0, 0] = 1", "    #"),
            """
            print("waits", flush=True)
            print(frame.wait(version=2))
            """,
        )
    )
    waiting.read_line()
    waiting.expect("waits")
    host.send()
    waiting.expect("2")
    waiting.finish()
    host.send()
    host.finish()


def test_two_operators_run_as_a_pipeline(folder):
    assert clara(folder, "validate", "pipeline.yaml").returncode == 0
    done = clara(folder, "run", "pipeline.yaml", "--images", "images.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "brightest: 40" in done.stdout


def test_an_edge_with_two_types_is_named_by_its_place(folder):
    definition = folder / "pipeline.yaml"
    definition.write_text(definition.read_text().replace("uint8", "int8", 1))
    done = clara(folder, "validate", "pipeline.yaml")
    assert done.returncode != 0
    assert re.search(r"pipeline\.yaml:12:\d+: ", done.stdout + done.stderr)
