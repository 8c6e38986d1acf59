# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from clara_fastio.driver.settings import Settings
from clara_fastio.pipeline import Input, Output
from clara_fastio.pipeline.model import DataType, Placement
from clara_fastio.runner.environment import (
    base_environment,
    declarations,
    expand,
    numbered_devices,
)


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
            "CLARA_FASTIO_CUDA_DEVICES": "give/a=0",
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
        "CLARA_FASTIO_CUDA_DEVICES",
    }


def test_python_is_the_runners_own_and_finds_the_module_clara() -> None:
    found = base_environment({"PATH": "/usr/bin", "PYTHONPATH": "/mine"})
    assert found["PATH"].split(os.pathsep) == [str(Path(sys.executable).parent), "/usr/bin"]
    first, second = found["PYTHONPATH"].split(os.pathsep)
    assert (Path(first) / "clara" / "__init__.py").is_file()
    assert second == "/mine"


def placed(**placement: Any) -> Output:
    data_type = DataType("array", "float32", (4,))
    return Output("x", data_type=data_type, placement=Placement(**placement))


def test_numbers_of_devices_are_listed_with_their_variables() -> None:
    outputs = [
        (placed(memory="device", device=0), "give/a"),
        (placed(memory="device", device="GPU-01234567-89ab-cdef-0123-456789abcdef"), "give/b"),
        (placed(memory="device"), "give/c"),
        (placed(pinned=True), "give/d"),
        (placed(memory="device", device=1), "ärger/50%;x=y"),
    ]
    assert numbered_devices(outputs) == "give/a=0;ärger/50%25%3Bx%3Dy=1"
    assert numbered_devices(outputs[1:4]) == ""


def test_a_driver_is_told_where_its_outputs_lie() -> None:
    entries = [
        (placed(memory="device", device=1, fallback="host"), "give/a"),
        (placed(pinned=True), "give/b"),
        (placed(), "give/c"),
        (Input("x", source="other", output="x", placement=Placement("device", 7)), "other/x"),
    ]
    text = declarations(entries)
    assert ["placement" in entry for entry in json.loads(text)] == [True, True, False, False]
    first, second, third = Settings.from_environment(
        {"CLARA_FASTIO_OUTPUTS": declarations(entries[:3])}
    ).outputs
    assert first.placement is not None
    assert asdict(first.placement) == asdict(entries[0][0].placement)
    assert second.placement is not None
    assert second.placement.pinned
    assert third.placement is None
