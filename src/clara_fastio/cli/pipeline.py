# SPDX-License-Identifier: Apache-2.0
"""``clara VERB pipeline``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clara_fastio.cli.completion import complete_pipeline
from clara_fastio.cli.connection import (
    ConfigOption,
    HostOption,
    MetadataOption,
    QuietOption,
    RawOption,
    connect,
    pick,
    pick_all,
    pick_one,
)
from clara_fastio.cli.identifiers import pipeline_ids, shortened
from clara_fastio.cli.options import parse_arguments
from clara_fastio.cli.output import is_terminal, print_json, print_table
from clara_fastio.cli.texts import plain, print_fields, print_metadata, to_json

PipelineIdOption = Annotated[
    str | None,
    typer.Option(
        "--pipeline",
        "-p",
        metavar="ID",
        autocompletion=complete_pipeline,
        help="The pipeline, in place of the argument.",
    ),
]


def create(  # noqa: PLR0913 - each is an option of the command line
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The definition.", show_default=False)
    ] = None,
    *,
    file: Annotated[
        Path | None,
        typer.Option("--path", "-p", metavar="FILE", help="The same, in place of the argument."),
    ] = None,
    metadata: MetadataOption = [],  # noqa: B006 - typer reads it, nobody changes it
    pipeline_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="The id that it is to have."),
    ] = None,
    host: HostOption = "",
    config: ConfigOption = None,
    quiet: QuietOption = False,
    as_json: RawOption = False,
) -> None:
    """Keep a pipeline on the server, with the files that its definition imports."""
    given = pick_one(_text(path), _text(file), "the file of one definition")
    pairs = parse_arguments(metadata)
    from clara_fastio.cli.definition import load_pipeline

    pipeline, _ = load_pipeline(Path(given), {})
    with connect(host, config) as client:
        made = client.pipelines.create(given, metadata=pairs, pipeline_id=pipeline_id)
    if as_json:
        print_json({"id": made, "name": pipeline.name})
    elif quiet:
        print(made)
    else:
        print_fields({"pipeline": made, "name": pipeline.name})


def list_all(
    *,
    host: HostOption = "",
    config: ConfigOption = None,
    quiet: QuietOption = False,
    as_json: RawOption = False,
) -> None:
    """List the pipelines, the oldest first."""
    with connect(host, config) as client:
        found = client.pipelines.list()
    if as_json:
        print_json(to_json(found))
    elif quiet:
        for each in found:
            print(each.id)
    else:
        ids = shortened([each.id for each in found]) if is_terminal() else {}
        rows = [
            [ids.get(each.id, each.id), plain(each.name), str(len(each.metadata) or "-")]
            for each in found
        ]
        print_table("Pipelines", ("ID", "NAME", ">METADATA"), rows)


def describe(
    pipeline: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", autocompletion=complete_pipeline, help="The pipeline."),
    ] = None,
    *,
    option: PipelineIdOption = None,
    files: Annotated[
        bool, typer.Option("--files", help="Print the files of the definition as well.")
    ] = False,
    host: HostOption = "",
    config: ConfigOption = None,
    as_json: RawOption = False,
) -> None:
    """Show a pipeline: its operators, what follows them, and its files."""
    given = pick(pipeline, option, "pipeline")
    with connect(host, config) as client:
        found = client.pipelines.get(*pipeline_ids(client, [given]))
    if as_json:
        print_json(to_json(found))
        return
    names = plain(", ".join(file.path for file in found.files))
    print_fields({"id": found.id, "name": plain(found.name), "files": names})
    print()
    rows = [
        [plain(name), plain(", ".join(following)) or "-"] for name, following in found.graph.items()
    ]
    print_table("Operators", ("OPERATOR", "BEFORE"), rows)
    print_metadata(found.metadata)
    for file in found.files if files else ():
        print(f"# {file.path}\n{file.content}")


def delete(
    pipelines: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", autocompletion=complete_pipeline, help="The pipelines."),
    ] = None,
    *,
    option: PipelineIdOption = None,
    host: HostOption = "",
    config: ConfigOption = None,
    as_json: RawOption = False,
) -> None:
    """Remove pipelines; jobs that were created from them go on."""
    given = pick_all(pipelines or [], [option] if option else [], "pipeline")
    with connect(host, config) as client:
        ids = pipeline_ids(client, given)
        for each in ids:
            client.pipelines.remove(each)
            if not as_json:
                print(each, flush=True)
    if as_json:
        print_json(ids)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
