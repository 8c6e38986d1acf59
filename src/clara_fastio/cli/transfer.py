# SPDX-License-Identifier: Apache-2.0
"""``clara upload``, ``clara download``, and the bar that shows how far they are."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clara_fastio.cli.connection import ConfigOption, HostOption, RawOption, connect
from clara_fastio.cli.identifiers import payload_ids
from clara_fastio.cli.output import console, count, format_bytes, is_terminal, print_json
from clara_fastio.cli.sources import check_sources
from clara_fastio.cli.texts import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clara_fastio.platform import Progress, Transfer

_NOUNS = {"job", "jobs", "payload", "payloads"}


def upload(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[job|payload] ID PATH...", help="Whose it is; files and folders."),
    ],
    *,
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip files that are there with the same size.")
    ] = False,
    host: HostOption = "",
    config: ConfigOption = None,
    as_json: RawOption = False,
) -> None:
    """Put files into a payload, or into that of a job which was not started yet.

    Of a folder, the files in it and below are sent, named from there on. A file that is there
    already is replaced.
    """
    whose, *sources = _without_noun(words)
    if not sources:
        raise typer.BadParameter("name a file or folder after the id")
    with connect(host, config) as client:
        from clara_fastio.platform import Existing

        check_sources(Path(source) for source in sources)
        (payload_id,) = payload_ids(client, [whose])
        existing = Existing.RESUME if resume else Existing.REPLACE
        for source in sources:
            with shown(f"sending {source}") as progress:
                done = client.payloads.upload(
                    payload_id, source, existing=existing, progress=progress
                )
            _print(done, as_json=as_json)


def download(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[job|payload] ID[:PATH] [DESTINATION]",
            help="A file, a folder, or all; where it is to go.",
        ),
    ],
    *,
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip files that are there with the same size.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there already.")
    ] = False,
    host: HostOption = "",
    config: ConfigOption = None,
    as_json: RawOption = False,
) -> None:
    """Get files of a job or payload, such as JOB_ID:operators/segment.

    Without a destination they go to a file or folder of the same name here; - is standard output,
    for one file. If a file is there already, nothing is done without one of the two options.
    """
    source, *rest = _without_noun(words)
    if len(rest) > 1:
        raise typer.BadParameter("name one destination")
    whose, _, name = source.partition(":")
    with connect(host, config) as client:
        from clara_fastio.platform import Existing

        (payload_id,) = payload_ids(client, [whose])
        if rest == ["-"]:
            if not name.strip("./"):
                raise typer.BadParameter("name one file after the id to write it to -")
            for chunk in client.payloads.read(payload_id, name):
                sys.stdout.buffer.write(chunk)
            return
        existing = Existing.REPLACE if overwrite else Existing.REFUSE
        last = name.strip("./").rpartition("/")[2]
        with shown(f"receiving {name or 'all'}") as progress:
            done = client.payloads.download(
                payload_id,
                rest[0] if rest else last or payload_id,
                name,
                existing=Existing.RESUME if resume else existing,
                progress=progress,
            )
        _print(done, as_json=as_json)


@contextlib.contextmanager
def shown(title: str) -> Iterator[Callable[[Progress], None] | None]:
    """Draw a bar while files move; where nobody looks, nothing."""
    if not is_terminal():
        yield None
        return
    from rich import progress as bars

    bar = bars.Progress(
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.DownloadColumn(binary_units=True),
        bars.TextColumn("{task.fields[speed_text]}"),
        bars.TimeRemainingColumn(),
        console=console(),
        transient=True,
    )
    with bar:
        task = bar.add_task(title, total=None, speed_text="")

        def update(step: Progress) -> None:
            speed = bar.tasks[0].speed
            text = "" if speed is None else f"{format_bytes(int(speed))}/s"
            bar.update(task, completed=step.nbytes, total=step.total_nbytes, speed_text=text)

        yield update


def _print(done: Transfer, *, as_json: bool) -> None:
    if as_json:
        print_json({"moved": to_json(done.moved), "kept": to_json(done.kept)})
    elif is_terminal():
        kept = f", {count(len(done.kept), 'file')} there already" if done.kept else ""
        print(f"{count(len(done.moved), 'file')}, {format_bytes(done.nbytes)}{kept}")


def _without_noun(words: list[str]) -> list[str]:
    return words[1:] if len(words) > 1 and words[0] in _NOUNS else words
