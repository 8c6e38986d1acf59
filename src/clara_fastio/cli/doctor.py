# SPDX-License-Identifier: Apache-2.0
"""``clara doctor``."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

import typer

from clara_fastio.cli.exit_codes import ExitCode
from clara_fastio.cli.options import JsonOption  # noqa: TC001 - typer reads it
from clara_fastio.cli.output import console, is_terminal, print_json
from clara_fastio.cli.texts import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clara_fastio.doctor import Finding

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red", "absent": "dim"}
_STATE_WIDTH = max(map(len, _STYLES))
_LABEL_WIDTH = len("do this")


def doctor(*, as_json: JsonOption = False) -> None:
    """Examine this machine: what works, what does not, and what to do about it.

    Nothing is changed. It takes some seconds, most of them for each GPU.
    """
    from clara_fastio.doctor import examine, has_problem

    findings = []
    for section, group in groupby(examine(), key=lambda finding: finding.section):
        found = list(group)
        findings += found
        if not as_json:
            _print(section, found)
    states = Counter(finding.state.value for finding in findings)
    summary = {state: states[state] for state in _STYLES}
    if as_json:
        described = [dataclasses.asdict(finding) for finding in findings]
        print_json({"summary": summary, "findings": described})
    else:
        print(", ".join(f"{number} {state}" for state, number in summary.items()))
    if has_problem(findings):
        raise typer.Exit(ExitCode.PRECONDITION)


def _print(section: str, findings: list[Finding]) -> None:
    if is_terminal():
        _draw(section, findings)
        return
    print(section)
    width = max(_LABEL_WIDTH, *(len(finding.name) for finding in findings))
    for finding in findings:
        print(f"  {finding.state.value:{_STATE_WIDTH}}  {finding.name:{width}}  ", end="")
        print(plain(finding.found))
        for label, text in _advice(finding):
            print(f"  {'':{_STATE_WIDTH}}  {label:>{width}}  {plain(text)}")
    print(flush=True)


def _draw(section: str, findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(no_wrap=True, min_width=_STATE_WIDTH)
    table.add_column(no_wrap=True, min_width=20)
    table.add_column(overflow="fold")
    for finding in findings:
        state = finding.state.value
        table.add_row(Text(state, _STYLES[state]), finding.name, plain(finding.found))
        for label, text in _advice(finding):
            table.add_row("", Text(label, "dim", justify="right"), Text(plain(text), "italic"))
    console().print(Text(section, style="bold"), table, "", sep="\n")


def _advice(finding: Finding) -> Iterable[tuple[str, str]]:
    """Give what was wanted, and what to do about it, where there is something to do."""
    pairs = (("wanted", finding.wanted), ("do this", finding.fix))
    return [(label, text) for label, text in pairs if text]
