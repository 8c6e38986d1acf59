# SPDX-License-Identifier: Apache-2.0
"""``docs/cli.md`` says what the program says."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clara_fastio.cli.exit_codes import ExitCode
from clara_fastio.runner import EdgeReport, Failure, OperatorReport, OperatorState, RunResult
from clara_fastio.runner.stream_report import ConsumerReport, StreamEdgeReport, StreamReport

if TYPE_CHECKING:
    from tests.helpers.workshop import Workshop

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = [title.removeprefix("clara ") for title in SECTIONS if title.startswith("clara ")]
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
EVERYWHERE = {"-h", "--help"}


def commands_in(help_text: str) -> list[str]:
    _, _, listed = help_text.partition("Commands:\n")
    return re.findall(r"^  (\S+)", listed, re.MULTILINE)


def test_every_command_has_a_section(workshop: Workshop) -> None:
    found = []
    for name in commands_in(workshop.clara("--help").stdout):
        inner = commands_in(workshop.clara(name, "--help").stdout)
        found += [f"{name} {each}" for each in inner] or [name]
    assert sorted(found) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_options_of_a_command_are_those_of_its_help(workshop: Workshop, command: str) -> None:
    shown = workshop.clara(*command.split(), "--help")
    assert shown.returncode == 0
    _, _, options = shown.stdout.partition("Options:\n")
    described = re.findall(r"^  (-[^\n]*?)(?:  |$)", options, re.MULTILINE)
    in_help = {name for line in described for name in OPTION.findall(line)} - EVERYWHERE
    rows = re.findall(r"^\| (`-.*?) \|", SECTIONS[f"clara {command}"], re.MULTILINE)
    in_page = {name for row in rows for name in OPTION.findall(row)}
    assert in_page == in_help


def test_all_exit_codes_are_explained() -> None:
    explained = re.findall(r"^\| (\d+) \|", SECTIONS["Exit codes"], re.MULTILINE)
    assert sorted(map(int, explained)) == sorted({code.value for code in ExitCode})


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (RunResult, "job"),
        (Failure, "failure"),
        (OperatorReport, "operator"),
        (EdgeReport, "edge"),
        (StreamReport, "stream"),
        (StreamEdgeReport, "stream edge"),
        (ConsumerReport, "consumer"),
    ],
)
def test_all_fields_of_the_record_are_explained(kind: type, name: str) -> None:
    rows = re.findall(rf"^\| {name} \| (.*?) \|", SECTIONS["clara run"], re.MULTILINE)
    explained = [field for row in rows for field in re.findall(r"`(\w+)`", row)]
    assert sorted(explained) == sorted(field.name for field in dataclasses.fields(kind))


def test_all_states_are_explained() -> None:
    _, _, paragraph = SECTIONS["clara run"].partition("The states are ")
    explained = re.findall(r"`(\w+)`", paragraph.partition(". What")[0])
    assert explained == [state.value for state in OperatorState]
