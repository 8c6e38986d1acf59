# SPDX-License-Identifier: Apache-2.0
"""What a server knows, as cells of tables for people and as JSON for programs."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.text import Text

    from clara_fastio.platform import Job, JobInfo, OperatorDetails

_STYLES = {
    "pending": "dim",
    "running": "bold cyan",
    "stopped": "",
    "healthy": "green",
    "completed": "green",
    "faulted": "bold red",
    "canceled": "yellow",
    "evicted": "yellow",
    "terminated": "bold red",
}


def styled(word: str) -> Text:
    """Give a state or status in its colour."""
    from rich.text import Text

    return Text(word, style=_STYLES.get(word, ""))


def plain(text: str) -> str:
    """Take out what would move the cursor: names and messages are other people's."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def outcome(job: JobInfo) -> str:
    """Say in one word where a job is, or how it ended."""
    if not job.is_stopped:
        return job.state.value
    return "completed" if job.has_succeeded else job.status.value


def moment(time: datetime | None) -> str:
    """Give a time as the clock of this machine shows it."""
    return "-" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def duration(begin: datetime | None, end: datetime | None) -> str:
    """Give the time from a beginning to its end or, until there is one, to now."""
    if begin is None:
        return "-"
    seconds = max(0, round(((end or datetime.now(UTC)) - begin).total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def operator_cells(operator: OperatorDetails) -> list[str | Text]:
    """Give the row of an operator; the job says on which day it was."""
    started = operator.started
    return [
        plain(operator.name),
        styled(operator.status.value),
        "-" if started is None else f"{started.astimezone():%H:%M:%S}",
        duration(started, operator.stopped),
    ]


#: Padded, so that nothing moves while a job is drawn.
OPERATOR_COLUMNS = ("OPERATOR", "STATUS   ", "STARTED ", ">   TOOK")


def to_json(value: Any) -> Any:
    """Turn a model into what JSON can hold; times as in ISO 8601."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: to_json(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(each) for each in value]
    return value


def print_fields(fields: Mapping[str, str | Text]) -> None:
    """Print names and values, one pair per line."""
    from clara_fastio.cli.output import console, is_terminal

    width = max(map(len, fields)) + 2
    for name, value in fields.items():
        if is_terminal():
            from rich.text import Text

            console().print(Text(name.ljust(width), style="dim"), value, sep="", soft_wrap=True)
        else:
            print(f"{name.ljust(width)}{value}".rstrip())


def print_metadata(metadata: Mapping[str, str]) -> None:
    """Print the pairs that are kept with something, if there are any."""
    from clara_fastio.cli.output import print_table

    if metadata:
        print()
        rows = [[plain(key), plain(value)] for key, value in sorted(metadata.items())]
        print_table("Metadata", ("KEY", "VALUE"), rows)


def describe_job(job: Job) -> dict[str, str | Text]:
    """Give what there is to say about a job as a whole."""
    return {
        "id": job.id,
        "name": plain(job.name),
        "state": styled(job.state.value),
        "status": styled(job.status.value),
        "priority": job.priority.value,
        "pipeline": job.pipeline_id,
        "payload": job.payload_id,
        "created": moment(job.created),
        "started": moment(job.started),
        "stopped": moment(job.stopped),
        "took": duration(job.started, job.stopped),
    }
