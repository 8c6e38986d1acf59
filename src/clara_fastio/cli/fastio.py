# SPDX-License-Identifier: Apache-2.0
"""``clara fastio``: the contexts of shared memory on this machine."""

from __future__ import annotations

import os
import signal
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clara_fastio.cli.options import JsonOption  # noqa: TC001 - typer reads it
from clara_fastio.cli.output import format_bytes, print_json, print_table
from clara_fastio.cli.top import Top, read_streams

if TYPE_CHECKING:
    from clara_fastio import Context

app = typer.Typer(help="Look at contexts of shared memory, or host one.", no_args_is_help=True)


def _check_name(name: str) -> str:
    if not name:
        raise typer.BadParameter("the name of a context has at least one character")
    return name


NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="Name of the context.", callback=_check_name),
]

_ENTRY = ("name", "kind", "dtype", "shape", "nbytes", "version", "state", "producer")
_ENTRY_COLUMNS = ("NAME", "KIND", "TYPE", "SHAPE", ">SIZE", ">VERSION", "STATE", "PRODUCER")
_PROCESS = ("slot", "pid", "role", "state", "age")
_PROCESS_COLUMNS = (">SLOT", ">PID", "ROLE", "STATE", ">AGE")


@app.command("list")
def list_contexts(*, as_json: JsonOption = False) -> None:
    """List the contexts that your processes host on this machine."""
    import clara_fastio

    names = clara_fastio.list_contexts()
    if as_json:
        print_json(names)
    else:
        for name in names:
            print(name)


@app.command()
def inspect(name: NameArgument, *, as_json: JsonOption = False) -> None:
    """Show what is in a context and which processes have it open."""
    import clara_fastio

    with clara_fastio.open_context(name) as context:
        entries = [_values(entry, _ENTRY) for entry in context.entries()]
        # This process has it open as well, but only to look.
        found = [one for one in context.processes() if one.pid != os.getpid()]
        processes = [_values(process, _PROCESS) for process in found]
        streams = read_streams(context)
        if as_json:
            found_streams = [{"name": key, **asdict(one)} for key, one in streams.items()]
            print_json(
                {
                    "name": name,
                    "entries": entries,
                    "processes": processes,
                    "streams": found_streams,
                }
            )
            return
        print_table("Entries", _ENTRY_COLUMNS, [_cells(entry) for entry in entries])
        print_table("Processes", _PROCESS_COLUMNS, [_cells(process) for process in processes])
        if streams:
            Top(context).print()


@app.command()
def top(
    name: NameArgument,
    *,
    interval: Annotated[
        float, typer.Option(min=0.05, metavar="S", help="Seconds between two looks.")
    ] = 1.0,
    count: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="How often. [default: until it ends]")
    ] = None,
) -> None:
    """Watch the streams of frames of a context: rates, latencies and losses of each edge."""
    import clara_fastio

    with clara_fastio.open_context(name) as context:
        try:
            Top(context).draw(interval, count)
        except clara_fastio.HostDiedError:
            print(f"the context {name!r} has ended")


@app.command()
def host(
    name: NameArgument,
    *,
    capacity: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many entries the context can hold.")
    ] = 131072,
    memory_limit: Annotated[
        int | None, typer.Option(min=1, metavar="BYTES", help="Bytes that it may hold.")
    ] = None,
) -> None:
    """Host a context in the foreground, until Ctrl-C or SIGTERM."""
    import clara_fastio

    wanted = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    # Blocked before the host's threads are there, so that only the wait below takes them.
    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    context: Context
    with clara_fastio.create_context(name, capacity=capacity, memory_limit=memory_limit) as context:
        print(f"hosting {context.name}", flush=True)
        signal.sigwait(wanted)


def _values(record: Any, fields: tuple[str, ...]) -> dict[str, Any]:
    return {field: getattr(record, field) for field in fields}


def _cells(values: dict[str, Any]) -> list[str]:
    return [_cell(field, value) for field, value in values.items()]


def _cell(field: str, value: Any) -> str:
    if value is None:
        return "-"
    if field == "nbytes":
        return format_bytes(value)
    if field == "shape":
        return "x".join("?" if size is None or size < 0 else str(size) for size in value) or "-"
    return f"{value:.1f} s" if field == "age" else str(value)
