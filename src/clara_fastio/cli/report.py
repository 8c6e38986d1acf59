# SPDX-License-Identifier: Apache-2.0
"""What ``clara run`` prints at the end of a job."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from clara_fastio.cli.output import format_bytes, format_seconds, print_table

if TYPE_CHECKING:
    from clara_fastio.runner import EdgeReport, Failure, RunResult


def print_report(result: RunResult, *, tables: bool) -> None:
    """Print the tables, the outcome and, on standard error, the failure that decided it."""
    if tables:
        _print_operators(result)
        _print_edges(result)
    if result.failure is not None:
        print(describe_failure(result.failure), file=sys.stderr)
    if tables:
        print(f"{result.pipeline}: {result.status.value} after {result.seconds:.2f} s")
        if result.directory is not None:
            print(f"results: {result.directory}")


def describe_failure(failure: Failure) -> str:
    """Say who failed, where and when, with the original traceback if there is one."""
    if not failure.operator:
        return f"clara: {failure.message}"
    text = (
        f"clara: operator {failure.operator!r} failed in {failure.phase} "
        f"after {failure.seconds:.2f} s: {failure.error}: {failure.message}"
    )
    return f"{text}\n{failure.traceback.rstrip()}" if failure.traceback else text


def _print_operators(result: RunResult) -> None:
    columns = ("OPERATOR", "STATE", ">START", ">PREPARE", ">WAIT", ">EXECUTE", ">PEAK MEMORY")
    rows = [
        (
            each.name,
            each.state.value,
            format_seconds(each.starting),
            format_seconds(each.prepare),
            format_seconds(each.wait),
            format_seconds(each.execute),
            format_bytes(each.peak_memory),
        )
        for each in result.operators
    ]
    print_table("Operators (times in seconds)", columns, rows)


def _print_edges(result: RunResult) -> None:
    rows = [
        (
            _from(edge),
            f"{edge.target}.{edge.input}" if edge.input else edge.target,
            edge.medium,
            str(edge.versions),
            format_bytes(edge.nbytes),
        )
        for edge in result.edges
    ]
    if rows:
        print_table("Edges", ("FROM", "TO", "THROUGH", ">VERSIONS", ">BYTES"), rows)


def _from(edge: EdgeReport) -> str:
    if not edge.source:
        return "(input)"
    return f"{edge.source}.{edge.output}" if edge.output else edge.source
