# SPDX-License-Identifier: Apache-2.0
"""``clara run``."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from clara_fastio.cli.exit_codes import exit_code_of_run
from clara_fastio.cli.options import ArgumentsOption, parse_arguments
from clara_fastio.runner.settings import RuntimeName

if TYPE_CHECKING:
    from clara_fastio.cli.view import View
    from clara_fastio.pipeline import Pipeline
    from clara_fastio.runner import RunResult, Settings


def run(  # noqa: PLR0913 - each is an option of the command line
    pipeline: Annotated[
        Path,
        typer.Argument(metavar="PIPELINE", exists=True, dir_okay=False, help="Definition file."),
    ],
    *,
    input_folder: Annotated[
        Path | None,
        typer.Option(
            "--input",
            "-i",
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="The job's input: what inputs without 'from' show, read-only.",
        ),
    ] = None,
    output_folder: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            file_okay=False,
            help="Receives operators/, logs/ and job.json.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the results of an earlier run.")
    ] = False,
    argument: ArgumentsOption = [],  # noqa: B006 - typer reads it, nobody changes it
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="YAML file: which program is behind an image's name.",
        ),
    ] = None,
    runtime: Annotated[
        RuntimeName, typer.Option(help="What runs the operators: your processes, or containers.")
    ] = RuntimeName.PROCESS,
    timeout: Annotated[
        float | None,
        typer.Option(min=0, metavar="S", help="Seconds that the job may take. [default: none]"),
    ] = None,
    grace: Annotated[
        float,
        typer.Option(min=0, metavar="S", help="Seconds from asking to stop to killing."),
    ] = 15.0,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the results without --output, and say where.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show neither progress nor operators' output.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object per line: events, then the result.")
    ] = False,
) -> None:
    """Run a pipeline on this machine.

    Each operator is a process of yours, or a container. Exit codes: 0 it worked, 3 an operator
    failed, 8 a time limit was reached.
    """
    import asyncio

    from clara_fastio.cli.definition import load_pipeline
    from clara_fastio.runner import Images, Settings, load_images

    resolved, warnings = load_pipeline(pipeline, parse_arguments(argument))
    settings = Settings(
        input=input_folder,
        output=output_folder,
        overwrite=overwrite,
        images=load_images(images) if images else Images(),
        runtime=runtime,
        timeout=timeout,
        grace=grace,
        keep=keep,
        directory=pipeline.resolve().parent,
    )
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    result = asyncio.run(_run(resolved, settings, _choose_view(quiet=quiet, as_json=as_json)))
    _print_result(result, quiet=quiet, as_json=as_json)
    raise typer.Exit(exit_code_of_run(result))


async def _run(pipeline: Pipeline, settings: Settings, view: View) -> RunResult:
    import asyncio

    from clara_fastio.runner import Runner, interruptible

    runner = Runner(pipeline, settings, view.observe)
    with interruptible(runner), view:
        watching = asyncio.create_task(view.watch(runner))
        try:
            result = await runner.run()
        finally:
            watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching  # A view that broke says so.
        return result


def _choose_view(*, quiet: bool, as_json: bool) -> View:
    """Draw in a terminal, print lines elsewhere."""
    from clara_fastio.cli.live import LiveView
    from clara_fastio.cli.output import is_terminal
    from clara_fastio.cli.view import JsonView, LineView, View

    if quiet:
        return View()
    if as_json:
        return JsonView()
    return LiveView() if is_terminal() else LineView()


def _print_result(result: RunResult, *, quiet: bool, as_json: bool) -> None:
    from clara_fastio.cli.output import print_json_line
    from clara_fastio.cli.report import print_failure, print_losses, print_report

    if as_json:
        print_json_line({"kind": "result", **result.to_json()})
    elif quiet:
        print_losses(result)
        print_failure(result)
    else:
        print_report(result)
