# SPDX-License-Identifier: Apache-2.0
"""``clara validate``."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated, Any

import typer

from clara_fastio.cli.exit_codes import ExitCode
from clara_fastio.cli.options import ArgumentsOption, JsonOption, parse_arguments
from clara_fastio.cli.output import count, print_json
from clara_fastio.cli.placements import describe_placement, placements_of
from clara_fastio.cli.queues import describe_stream, streams_of


def validate(
    pipelines: Annotated[
        list[Path],
        typer.Argument(metavar="PIPELINE", exists=True, dir_okay=False, help="Definition files."),
    ],
    *,
    argument: ArgumentsOption = [],  # noqa: B006 - typer reads it, nobody changes it
    as_json: JsonOption = False,
) -> None:
    """Report everything that is wrong with definitions.

    Imported files are found relative to the file that imports them.
    """
    arguments = parse_arguments(argument)
    reports = [_check(path, arguments) for path in pipelines]
    if as_json:
        print_json(reports)
    else:
        for report in reports:
            _print(report)
    if not all(report["valid"] for report in reports):
        raise typer.Exit(ExitCode.USAGE)


def _check(path: Path, arguments: dict[str, str]) -> dict[str, Any]:
    from clara_fastio.cli.definition import load_pipeline
    from clara_fastio.errors import DefinitionError

    report: dict[str, Any] = {"file": str(path), "valid": True}
    try:
        pipeline, warnings = load_pipeline(path, arguments)
    except DefinitionError as error:
        problems = [dataclasses.asdict(problem) for problem in error.problems]
        return report | {"valid": False, "message": str(error), "problems": problems}
    return report | {
        "name": pipeline.name,
        "api_version": pipeline.api_version,
        "operators": [operator.name for operator in pipeline.operators],
        "edges": sum(len(operator.inputs) for operator in pipeline.operators),
        "streams": streams_of(pipeline),
        "placements": placements_of(pipeline),
        "problems": [],
        "warnings": [str(warning) for warning in warnings],
    }


def _print(report: dict[str, Any]) -> None:
    if not report["valid"]:
        print(f"{report['file']}: {report['message']}", file=sys.stderr)
        return
    for warning in report["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    operators = report["operators"]
    print(
        f"{report['file']}: valid: {report['name']}, api-version {report['api_version']}, "
        f"{count(len(operators), 'operator')} ({', '.join(operators)}), "
        f"{count(report['edges'], 'input')}"
    )
    for placed in report["placements"]:
        print(f"  {describe_placement(placed)}")
    for stream in report["streams"]:
        for line in describe_stream(stream):
            print(f"  {line}")
