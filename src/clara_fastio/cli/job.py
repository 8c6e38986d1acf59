# SPDX-License-Identifier: Apache-2.0
"""``clara VERB job``: from its creation to its end."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from clara_fastio.cli.completion import complete_job, complete_pipeline
from clara_fastio.cli.connection import (
    ConfigOption,
    HostOption,
    MetadataOption,
    RawOption,
    connect,
    pick,
    pick_all,
)
from clara_fastio.cli.follow import follow as follow_job
from clara_fastio.cli.identifiers import job_ids, payload_ids, pipeline_ids
from clara_fastio.cli.options import ArgumentsOption, parse_arguments
from clara_fastio.cli.output import print_json, print_json_line
from clara_fastio.cli.sources import check_sources
from clara_fastio.cli.texts import print_fields, to_json
from clara_fastio.cli.transfer import shown
from clara_fastio.errors import PreconditionError

if TYPE_CHECKING:
    from clara_fastio.platform import Client

JobArgument = Annotated[
    str | None, typer.Argument(metavar="[ID]", autocompletion=complete_job, help="The job.")
]
JobOption = Annotated[
    str | None,
    typer.Option(
        "--job",
        "-j",
        metavar="ID",
        autocompletion=complete_job,
        help="The job, in place of the argument.",
    ),
]
FollowOption = Annotated[
    bool,
    typer.Option("--follow", help="Show the job until it ends; the exit code says how it did."),
]

#: What the original's command line and its other clients call them.
_PRIORITIES = {
    "low": "lower",
    "lower": "lower",
    "normal": "normal",
    "high": "higher",
    "higher": "higher",
    "immediate": "immediate",
}


def _parse_priority(text: str) -> str:
    if text.lower() not in _PRIORITIES:
        raise typer.BadParameter(f"{text!r} is not low, normal, high or immediate")
    return _PRIORITIES[text.lower()]


def create(  # noqa: PLR0913 - each is an option of the command line
    *,
    name: Annotated[str, typer.Option("--name", "-n", metavar="NAME", help="For people.")],
    pipeline: Annotated[
        str,
        typer.Option(
            "--pipeline",
            "-p",
            metavar="ID",
            autocompletion=complete_pipeline,
            help="The pipeline that it runs.",
        ),
    ],
    files: Annotated[
        list[Path],
        typer.Option(
            "--files",
            "-f",
            metavar="PATH",
            exists=True,
            help="Input: a file, or all in a folder.",
        ),
    ] = [],  # noqa: B006 - typer reads it, nobody changes it
    payload: Annotated[
        list[str],
        typer.Option("--payload", metavar="ID", help="Input: the files of a reusable payload."),
    ] = [],  # noqa: B006 - as above
    priority: Annotated[
        str,
        typer.Option(
            "--priority",
            "-i",
            metavar="low|normal|high|immediate",
            callback=_parse_priority,
            help="How often it is chosen from the queue.",
        ),
    ] = "normal",
    metadata: MetadataOption = [],  # noqa: B006 - as above
    start: Annotated[
        bool, typer.Option("--start", "-s", help="Start it when its files are there.")
    ] = False,
    argument: ArgumentsOption = [],  # noqa: B006 - as above
    follow: FollowOption = False,
    host: HostOption = "",
    config: ConfigOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the job's id only.")] = False,
    as_json: RawOption = False,
) -> None:
    """Create a job, send its input, and start it if that is wanted."""
    pairs, arguments = parse_arguments(metadata), parse_arguments(argument)
    if (follow or arguments) and not start:
        raise typer.BadParameter("--follow and --argument are about a job that starts: add --start")
    with connect(host, config) as client:
        check_sources(files)
        from clara_fastio.platform import JobPriority

        (pipeline_id,) = pipeline_ids(client, [pipeline])
        made = client.jobs.create(
            pipeline_id,
            name,
            priority=JobPriority(priority),
            input_payloads=payload_ids(client, payload),
            metadata=pairs,
        )
        if as_json:
            print_json_line(to_json(made))
        elif quiet:
            print(made.id, flush=True)
        else:
            print_fields({"job": made.id, "payload": made.payload_id})
        for path in files:
            with shown(f"sending {path}") as progress:
                client.payloads.upload(made.payload_id, path, progress=progress)
        if start:
            _start(client, made.id, arguments, follow=follow, quiet=quiet, as_json=as_json)


def start(
    job: JobArgument = None,
    *,
    option: JobOption = None,
    argument: ArgumentsOption = [],  # noqa: B006 - typer reads it, nobody changes it
    follow: FollowOption = False,
    host: HostOption = "",
    config: ConfigOption = None,
    as_json: RawOption = False,
) -> None:
    """Queue a job; its input can no longer be changed."""
    given, arguments = pick(job, option, "job"), parse_arguments(argument)
    with connect(host, config) as client:
        (job_id,) = job_ids(client, [given])
        _start(client, job_id, arguments, follow=follow, quiet=False, as_json=as_json)


def _start(
    client: Client,
    job_id: str,
    arguments: dict[str, str],
    *,
    follow: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    try:
        token = client.jobs.start(job_id, arguments)
    except PreconditionError:
        # Who wants to see a job again need not know what it was started with.
        if arguments or not follow or _is_over(client, job_id):
            raise
    if follow:
        raise typer.Exit(follow_job(client, job_id, as_json=as_json, quiet=quiet))
    if as_json:
        print_json_line(to_json(token))
    elif not quiet:
        print(f"job {job_id}: {token.state}")


def _is_over(client: Client, job_id: str) -> bool:
    from clara_fastio.platform import JobState

    return client.jobs.get(job_id).state is JobState.STOPPED


def cancel(
    jobs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", autocompletion=complete_job, help="The jobs."),
    ] = None,
    *,
    option: JobOption = None,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Becomes one of the job's messages.")
    ] = "",
    host: HostOption = "",
    config: ConfigOption = None,
    as_json: RawOption = False,
) -> None:
    """Stop jobs, before or while they run; those that are stopped stay what they are."""
    given = pick_all(jobs or [], [option] if option else [], "job")
    with connect(host, config) as client:
        tokens = [client.jobs.cancel(each, reason) for each in job_ids(client, given)]
    if as_json:  # The answer to a cancel has no priority.
        print_json([{"id": each.id, "state": each.state, "status": each.status} for each in tokens])
    else:
        for token in tokens:
            print(f"job {token.id}: {token.state}, {token.status}")


def logs(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[job] [ID] [OPERATOR]",
            autocompletion=complete_job,
            help="Whose lines; without an operator, the notes on the job itself.",
        ),
    ] = None,
    *,
    option: JobOption = None,
    operator: Annotated[
        str | None,
        typer.Option("--operator", "-o", metavar="NAME", help="In place of the argument."),
    ] = None,
    host: HostOption = "",
    config: ConfigOption = None,
    as_json: RawOption = False,
) -> None:
    """Print the lines that an operator has written so far."""
    given = [*(words or [])]
    if given[:1] in (["job"], ["jobs"]):
        given.pop(0)
    job = pick(given.pop(0) if given and not option else None, option, "job")
    names = [*given, *([operator] if operator else [])]
    if len(names) > 1:
        raise typer.BadParameter("name one operator")
    with connect(host, config) as client:
        lines = client.jobs.logs(*job_ids(client, [job]), *names)
        if as_json:
            print_json(list(lines))
        else:
            for line in lines:
                print(line)
