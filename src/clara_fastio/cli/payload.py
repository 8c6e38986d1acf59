# SPDX-License-Identifier: Apache-2.0
"""``clara VERB payload``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer

from clara_fastio.cli.connection import (
    ConfigOption,
    HostOption,
    MetadataOption,
    QuietOption,
    RawOption,
    connect,
    pick,
    pick_all,
)
from clara_fastio.cli.identifiers import payload_ids, shortened
from clara_fastio.cli.options import parse_arguments
from clara_fastio.cli.output import format_bytes, is_terminal, print_json, print_table
from clara_fastio.cli.sources import check_sources
from clara_fastio.cli.texts import plain, print_fields, print_metadata, to_json
from clara_fastio.cli.transfer import shown

PayloadOption = Annotated[
    str | None,
    typer.Option("--payload", "-p", metavar="ID", help="The payload, in place of the argument."),
]


def create(
    *,
    files: Annotated[
        list[Path],
        typer.Option(
            "--files", "-f", metavar="PATH", exists=True, help="A file, or all in a folder."
        ),
    ] = [],  # noqa: B006 - typer reads it, nobody changes it
    metadata: MetadataOption = [],  # noqa: B006 - as above
    host: HostOption = "",
    config: ConfigOption = None,
    quiet: QuietOption = False,
    as_json: RawOption = False,
) -> None:
    """Make a reusable payload, which may be the input of any number of jobs."""
    pairs = parse_arguments(metadata)
    with connect(host, config) as client:
        check_sources(files)
        made = client.payloads.create(metadata=pairs)
        if as_json:
            print_json({"id": made})
        elif quiet:
            print(made, flush=True)
        else:
            print_fields({"payload": made})
        for path in files:
            with shown(f"sending {path}") as progress:
                client.payloads.upload(made, path, progress=progress)


def list_all(
    *,
    host: HostOption = "",
    config: ConfigOption = None,
    quiet: QuietOption = False,
    as_json: RawOption = False,
) -> None:
    """List the payloads of jobs; a server has no list of the reusable ones."""
    with connect(host, config) as client:
        from clara_fastio.platform import JobFilter

        found = client.jobs.list(JobFilter())
    if as_json:
        print_json([{"id": each.payload_id, "job_id": each.id, "job": each.name} for each in found])
    elif quiet:
        for each in found:
            print(each.payload_id)
    else:
        ids = [each for job in found for each in (job.id, job.payload_id)]
        short = shortened(ids) if is_terminal() else {each: each for each in ids}
        rows = [[short[each.payload_id], short[each.id], plain(each.name)] for each in found]
        print_table("Payloads", ("ID", "JOB", "NAME OF THE JOB"), rows)


def describe(
    payload: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The payload, or the job whose it is.")
    ] = None,
    *,
    option: PayloadOption = None,
    host: HostOption = "",
    config: ConfigOption = None,
    as_json: RawOption = False,
) -> None:
    """Show a payload with its files."""
    given = pick(payload, option, "payload")
    with connect(host, config) as client:
        found = client.payloads.get(*payload_ids(client, [given]))
    if as_json:
        print_json(to_json(found))
        return
    fields = {"id": found.id, "type": found.type.value}
    if found.job_id:
        fields["job"] = found.job_id
    print_fields(fields | {"size": format_bytes(found.nbytes)})
    print()
    rows = [[format_bytes(each.size), plain(each.name)] for each in found.files]
    print_table("Files", (">SIZE", "NAME"), rows)
    print_metadata(found.metadata)


def delete(
    payloads: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID[:PATH]]...", help="Payloads, or single files of them."),
    ] = None,
    *,
    option: PayloadOption = None,
    host: HostOption = "",
    config: ConfigOption = None,
    as_json: RawOption = False,
) -> None:
    """Remove payloads or files of them for ever."""
    given = pick_all(payloads or [], [option] if option else [], "payload")
    with connect(host, config) as client:
        parts = [each.partition(":") for each in given]
        ids = [payload_ids(client, [whole])[0] for whole, _, _ in parts]
        for payload_id, (_, colon, name) in zip(ids, parts, strict=True):
            if colon:
                client.payloads.remove(payload_id, name)
            else:
                client.payloads.delete(payload_id)
            if not as_json:
                print(f"{payload_id}{colon}{name}", flush=True)
    if as_json:
        print_json([f"{one}{part[1]}{part[2]}" for one, part in zip(ids, parts, strict=True)])
