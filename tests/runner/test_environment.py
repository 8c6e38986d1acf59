# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from clara_fastio.runner.environment import base_environment, expand


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--root=$(ROOT)/models", "--root=/data/models"),
        ("$(ROOT)$(LEVEL)", "/data3"),
        ("$(MISSING)", "$(MISSING)"),
        ("$ROOT and ${ROOT}", "$ROOT and ${ROOT}"),
        ("$$(ROOT)", "$(ROOT)"),
        ("kill -TERM $$", "kill -TERM $$"),
        ("$(ROOT", "$(ROOT"),
        ("costs 5$", "costs 5$"),
        ("$()", "$()"),
    ],
)
def test_references_in_commands_are_expanded_as_in_kubernetes(text: str, expected: str) -> None:
    assert expand([text], {"ROOT": "/data", "LEVEL": "3"}) == [expected]


def test_values_are_not_expanded_again() -> None:
    assert expand(["$(A)"], {"A": "$(B)", "B": "never"}) == ["$(B)"]


def test_variables_of_another_job_are_not_inherited() -> None:
    found = base_environment(
        {
            "NVIDIA_CLARA_JOBID": "other",
            "NVIDIA_CLARA_NOSYNCLOCK": "1",
            "CLARA_FASTIO_SOCKET": "fd:3",
            "CLARA_FASTIO_DEBUG": "1",
            "NVIDIA_CLARA_SERVICE_DATA_PATH": "/models",
            "HOME": "/home/me",
        }
    )
    assert set(found) >= {"CLARA_FASTIO_DEBUG", "NVIDIA_CLARA_SERVICE_DATA_PATH", "HOME"}
    assert not set(found) & {
        "NVIDIA_CLARA_JOBID",
        "NVIDIA_CLARA_NOSYNCLOCK",
        "CLARA_FASTIO_SOCKET",
    }


def test_python_is_the_runners_own_and_finds_the_module_clara() -> None:
    found = base_environment({"PATH": "/usr/bin", "PYTHONPATH": "/mine"})
    assert found["PATH"].split(os.pathsep) == [str(Path(sys.executable).parent), "/usr/bin"]
    first, second = found["PYTHONPATH"].split(os.pathsep)
    assert (Path(first) / "clara" / "__init__.py").is_file()
    assert second == "/mine"
