# SPDX-License-Identifier: Apache-2.0
"""The stubs: what a type checker has to accept, and what it has to find."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"


def check(program: Path) -> set[tuple[int, str]]:
    """Give line and code of everything that mypy has to say."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir"]
    done = subprocess.run(
        [*command, os.devnull, "--config-file", os.devnull, "--hide-error-context", str(program)],
        env={**os.environ, "MYPYPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE,
        timeout=300,
    )
    assert done.stderr == ""
    found = re.findall(r"^([^:]+):(\d+): error: .*\[([a-z-]+)\]$", done.stdout, re.MULTILINE)
    assert {name for name, _, _ in found} <= {program.name}, done.stdout
    return {(int(line), code) for _, line, code in found}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_right_program_is_accepted():
    assert check(HERE / "passes.py") == set()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_each_mistake_is_found():
    program = HERE / "fails.py"
    lines = enumerate(program.read_text().splitlines(), 1)
    marked = {(i, line.split("# error: ")[1]) for i, line in lines if "# error: " in line}
    assert len(marked) > 10
    assert check(program) == marked
