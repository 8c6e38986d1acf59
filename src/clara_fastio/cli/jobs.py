# SPDX-License-Identifier: Apache-2.0
"""``clara list jobs`` and ``clara describe job``."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from clara_fastio.cli.completion import complete_pipeline
from clara_fastio.cli.connection import (
    ConfigOption,
    HostOption,
    QuietOption,
    RawOption,
    connect,
    pick,
)
from clara_fastio.cli.identifiers import job_ids, pipeline_ids, shortened
from clara_fastio.cli.job import JobArgument, JobOption  # noqa: TC001 - typer reads them
from clara_fastio.cli.output import is_terminal, print_json, print_table
from clara_fastio.cli.texts import (
    OPERATOR_COLUMNS,
    describe_job,
    duration,
    moment,
    operator_cells,
    plain,
    print_fields,
    print_metadata,
    styled,
    to_json,
)

if TYPE_CHECKING:
    from rich.text import Text

    from clara_fastio.platform import JobInfo, OperatorDetails

_Word = TypeVar("_Word", bound=StrEnum)

_COLUMNS = ("ID", "NAME", "STATE", "STATUS", "PRIORITY", "CREATED", ">TOOK")


def list_all(
    *,
    state: Annotated[
        list[str],
        typer.Option(metavar="pending|running|stopped", help="Those in it; may be repeated."),
    ] = [],  # noqa: B006 - typer reads it, nobody changes it
    status: Annotated[
        list[str],
        typer.Option(
            metavar="healthy|faulted|canceled|evicted|terminated",
            help="Those that have it; may be repeated.",
        ),
    ] = [],  # noqa: B006 - as above
    pipeline: Annotated[
        list[str],
        typer.Option(
            "--pipeline",
            "-p",
            metavar="ID",
            autocompletion=complete_pipeline,
            help="Those of the pipeline; may be repeated.",
        ),
    ] = [],  # noqa: B006 - as above
    host: HostOption = "",
    config: ConfigOption = None,
    quiet: QuietOption = False,
    as_json: RawOption = False,
) -> None:
    """List the jobs, the oldest first."""
    with connect(host, config) as client:
        from clara_fastio.platform import JobFilter, JobState, JobStatus

        job_filter = JobFilter(
            states=_words(JobState, state),
            statuses=_words(JobStatus, status),
            pipeline_ids=tuple(pipeline_ids(client, pipeline)),
        )
        found = client.jobs.list(job_filter)
    if as_json:
        print_json(to_json(found))
    elif quiet:
        for each in found:
            print(each.id)
    else:
        ids = shortened([each.id for each in found]) if is_terminal() else {}
        print_table("Jobs", _COLUMNS, [_cells(each, ids.get(each.id, each.id)) for each in found])


def describe(
    job: JobArgument = None,
    *,
    option: JobOption = None,
    host: HostOption = "",
    config: ConfigOption = None,
    as_json: RawOption = False,
) -> None:
    """Show a job with its operators, messages and metadata."""
    given = pick(job, option, "job")
    with connect(host, config) as client:
        found = client.jobs.get(*job_ids(client, [given]))
    if as_json:
        print_json(to_json(found))
        return
    print_fields(describe_job(found))
    print()
    columns = (*OPERATOR_COLUMNS, "AFTER")
    rows = [[*operator_cells(each), _upstream(each)] for each in found.operators]
    print_table("Operators", columns, rows)
    for message in found.messages:
        print(plain(message))
    print_metadata(found.metadata)


def _words(kind: type[_Word], given: list[str]) -> tuple[_Word, ...]:
    known = [each.value for each in kind if each.value != "unknown"]
    for word in given:
        if word.lower() not in known:
            raise typer.BadParameter(f"{word!r} is not {', '.join(known[:-1])} or {known[-1]}")
    return tuple(kind(word.lower()) for word in given)


def _upstream(operator: OperatorDetails) -> str:
    names = (*operator.input_dependencies, *operator.order_dependencies)
    return plain(", ".join(names)) or "-"


def _cells(job: JobInfo, shown: str) -> list[str | Text]:
    return [
        shown,
        plain(job.name),
        styled(job.state.value),
        styled(job.status.value),
        job.priority.value,
        moment(job.created),
        duration(job.started, job.stopped),
    ]
