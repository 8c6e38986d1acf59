# SPDX-License-Identifier: Apache-2.0
"""What ``clara run`` prints at the end of a job."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

from clara_fastio.cli.operators import STYLES, operator_cells
from clara_fastio.cli.output import console, format_bytes, is_terminal, print_table
from clara_fastio.cli.streams import edge_rows, stream_columns

if TYPE_CHECKING:
    from clara_fastio.runner import EdgeReport, Failure, RunResult

_NO_LIMIT = 1000


def print_report(result: RunResult) -> None:
    """Print the tables, the failure that decided the job, and the outcome."""
    width = console().width if is_terminal() else _NO_LIMIT
    columns, rows = operator_cells(result, result.operators, width)
    print_table("Operators, times in seconds, memory at its peak", columns, rows)
    if result.edges:
        columns = ["FROM", "TO", "THROUGH", ">VERSIONS", ">BYTES"]
        print_table("Edges", columns, [_edge_cells(edge) for edge in result.edges])
    if rows := edge_rows(result.streams, width):
        print_table("Streams, in frames", stream_columns(width), rows)
    for loss in result.losses:
        print(loss)
    print_failure(result)
    _print_outcome(result)


def print_losses(result: RunResult) -> None:
    """Print on standard error what streams lost, where nothing else is shown."""
    for loss in result.losses:
        print(f"clara: {loss}", file=sys.stderr, flush=True)


def print_failure(result: RunResult) -> None:
    """Print on standard error what decided a job that did not succeed."""
    if result.failure is not None:
        sys.stdout.flush()  # Else the two change places in a file that takes both.
        print(describe_failure(result.failure), file=sys.stderr, flush=True)


def describe_failure(failure: Failure) -> str:
    """Say who failed, where and when, with the traceback or the last lines of output."""
    if not failure.operator:
        return f"clara: {failure.message}"
    where = "while starting" if failure.phase == "starting" else f"in {failure.phase}"
    text = (
        f"clara: operator {failure.operator!r} failed {where} "
        f"after {failure.seconds:.2f} s: {failure.error}: {failure.message}"
    )
    if failure.traceback:
        return f"{text}\n{failure.traceback.rstrip()}"
    if failure.output:
        return f"{text}\nits last output:\n{textwrap.indent(failure.output, '  ')}"
    return text


def _print_outcome(result: RunResult) -> None:
    after = f" after {result.seconds:.2f} s"
    where = "not kept; --output DIR keeps them" if result.directory is None else result.directory
    if is_terminal():
        from rich.text import Text

        status = (result.status.value, STYLES[result.status.value])
        console().print(Text.assemble(f"{result.pipeline}: ", status, after))
    else:
        print(f"{result.pipeline}: {result.status.value}{after}")
    print(f"results: {where}")


def _edge_cells(edge: EdgeReport) -> list[str]:
    source = f"{edge.source}.{edge.output}" if edge.output else edge.source or "(input)"
    target = f"{edge.target}.{edge.input}" if edge.input else edge.target
    medium = f"{edge.medium} (device)" if edge.memory == "device" else edge.medium
    return [source, target, medium, str(edge.versions), format_bytes(edge.nbytes)]
