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
WRONG = ("fails.py", "client_fails.py")
PROGRAMS = ("passes.py", "client_passes.py", *WRONG)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def findings():
    """File, line and code of everything that mypy has to say about the programs."""
    options = ["--strict", "--config-file=", f"--cache-dir={os.devnull}", "--no-error-summary"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *PROGRAMS],
        env={**os.environ, "MYPYPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE,
        timeout=280,
    )
    assert done.stderr == ""
    found = re.findall(r"^(.+):(\d+): error: .*\[([a-z-]+)\]$", done.stdout, re.MULTILINE)
    return {(name, int(line), code) for name, line, code in found}


def test_right_program_is_accepted(findings):
    assert {one for one in findings if one[0] not in WRONG} == set()


@pytest.mark.parametrize("program", WRONG)
def test_each_mistake_is_found(findings, program):
    lines = enumerate((HERE / program).read_text().splitlines(), 1)
    marked = {(program, i, line.split("# error: ")[1]) for i, line in lines if "# error: " in line}
    assert len(marked) > 10
    assert {one for one in findings if one[0] == program} == marked
