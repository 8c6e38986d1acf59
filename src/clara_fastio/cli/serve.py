# SPDX-License-Identifier: Apache-2.0
"""``clara serve``."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clara_fastio.cli.option_file import use_option_file
from clara_fastio.runner.settings import RuntimeName

if TYPE_CHECKING:
    from clara_fastio.platform.settings import ServerSettings


class LogFormat(StrEnum):
    """How the log is written."""

    TEXT = "text"
    JSON = "json"


def _named_folder(text: object) -> Path:
    """Read the path of a folder; an empty one would mean the current folder."""
    given = str(text)
    if not given:
        raise typer.BadParameter("it is empty; name a folder, or '.' for this one")
    path = Path(given)
    if path.exists() and not path.is_dir():
        raise typer.BadParameter(f"{given!r} is no folder")
    return path


def serve(  # noqa: PLR0913 - each is an option of the command line
    *,
    root: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            parser=_named_folder,
            help="Payloads, logs and records.",
        ),
    ],
    config: Annotated[  # noqa: ARG001 - its callback has done the work
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            is_eager=True,
            callback=use_option_file,
            help="YAML file with any of these options, without the dashes before them.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks one.")] = 30031,
    database: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Of the records. [default: SQLite in the root]"),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="YAML file: which program is behind an image's name.",
        ),
    ] = None,
    allow_any_command: Annotated[
        bool, typer.Option("--allow-any-command", help="Also run images that are not in that file.")
    ] = False,
    service_data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="Files for services of pipelines. [default: service-data in the root]",
        ),
    ] = None,
    runtime: Annotated[
        RuntimeName, typer.Option(help="What runs the operators: processes, or containers.")
    ] = RuntimeName.PROCESS,
    slots: Annotated[
        int | None,
        typer.Option(metavar="N", help="Jobs at the same time. [default: as many as fit]"),
    ] = None,
    tokens: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", dir_okay=False, help="Who may call: lines 'read|submit|admin TOKEN'."
        ),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", exists=True, help="TLS: PEM certificate.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", exists=True, help="TLS: PEM key.")
    ] = None,
    client_certificates: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, help="TLS: PEM authority whose clients may connect."
        ),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let other machines in without TLS and tokens.")
    ] = False,
    timeout_default: Annotated[
        float, typer.Option(metavar="S", help="Time limit of a job whose definition has none.")
    ] = 600.0,
    timeout_maximum: Annotated[
        float, typer.Option(metavar="S", help="Longest time limit of any job.")
    ] = 1800.0,
    grace: Annotated[
        float, typer.Option(metavar="S", help="Seconds from asking to stop to killing.")
    ] = 15.0,
    drain: Annotated[
        float, typer.Option(metavar="S", help="Seconds that running jobs get at the end.")
    ] = 15.0,
    storage_percentage: Annotated[
        float, typer.Option(metavar="P", help="Usage of the disk above which nothing is taken in.")
    ] = 80.0,
    payload_capacity: Annotated[
        int | None,
        typer.Option(metavar="BYTES", help="Of all payloads. [default: what the disk has]"),
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(metavar="MB", help="That jobs may request together. [default: all there is]"),
    ] = None,
    gpus: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="GPUs that jobs may have, as 0,1. [default: all]"),
    ] = None,
    message_bytes: Annotated[
        int, typer.Option(metavar="BYTES", help="Largest message that is taken.")
    ] = 4 << 20,
    calls: Annotated[
        int | None,
        typer.Option(metavar="N", help="Calls served at the same time. [default: no limit]"),
    ] = None,
    log_size: Annotated[
        int, typer.Option(metavar="BYTES", help="Of an operator's log; 0 for no limit.")
    ] = 16 << 20,
    log_days: Annotated[
        float, typer.Option(metavar="D", help="Days that logs are kept; 0 for ever.")
    ] = 30.0,
    log_capacity: Annotated[
        int, typer.Option(metavar="BYTES", help="Of all logs together; 0 for no limit.")
    ] = 10 << 30,
    metrics_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Serve metrics there. [default: nowhere]")
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option(help="Of the log on standard error.")
    ] = LogFormat.TEXT,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log every call.")] = False,
) -> None:
    """Serve pipelines, jobs and payloads to clients, until SIGTERM or Ctrl-C.

    A second one does not wait for jobs and calls.
    """
    from clara_fastio.platform.log_format import JsonFormatter, text_formatter
    from clara_fastio.platform.settings import ServerSettings

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format is LogFormat.JSON else text_formatter())
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])
    settings = ServerSettings(
        root=root,
        host=host,
        port=port,
        database=database,
        images=images,
        allow_any_command=allow_any_command,
        service_data=service_data,
        runtime=runtime,
        slots=slots,
        tokens=tokens,
        certificate=certificate,
        key=key,
        client_certificates=client_certificates,
        insecure=insecure,
        timeout_default=timeout_default,
        timeout_maximum=timeout_maximum,
        grace=grace,
        drain=drain,
        storage_percentage=storage_percentage,
        payload_capacity=payload_capacity,
        memory=memory,
        gpus=gpus,
        message_bytes=message_bytes,
        calls=calls,
        log_size=log_size,
        log_days=log_days,
        log_capacity=log_capacity,
        metrics_port=metrics_port,
    )
    asyncio.run(_serve(settings))


async def _serve(settings: ServerSettings) -> None:
    from clara_fastio.platform.engine_check import require_engine

    await require_engine(settings.runtime)
    # Not earlier: it imports gRPC.
    from clara_fastio.platform.server import Server

    server = Server(settings)
    await server.start()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end, stop, number)
    print(f"listening on {server.address}", flush=True)
    await stop.wait()
    await server.drain()


def _end(stop: asyncio.Event, number: signal.Signals) -> None:
    """Let the server drain; when that was asked for before, end at once."""
    if stop.is_set():
        logging.getLogger("clara_fastio.platform").warning(
            "ends at once; jobs that still run will be evicted at the next start"
        )
        logging.shutdown()
        # As if it was killed, which nothing is lost by: jobs end with this process.
        os._exit(128 + number)
    stop.set()
