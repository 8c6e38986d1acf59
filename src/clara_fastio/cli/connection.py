# SPDX-License-Identifier: Apache-2.0
"""What the commands that talk to a server share: their options and the way there."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clara_fastio.cli.config import load_config, token_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clara_fastio.platform import Client

HostOption = Annotated[
    str,
    typer.Option(
        "--host",
        metavar="HOST:PORT",
        envvar="CLARA_HOST",
        show_envvar=False,
        help="The server. [default: of the configuration, or this machine]",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        envvar="CLARA_CONFIG",
        show_envvar=False,
        help="The configuration. [default: ~/.clara/config.yaml]",
    ),
]
RawOption = Annotated[bool, typer.Option("--json", "--raw", help="Print JSON instead of tables.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print ids only.")]
MetadataOption = Annotated[
    list[str],
    typer.Option(
        "--metadata", "-m", metavar="KEY=VALUE", help="Keep a pair with it; may be repeated."
    ),
]


def take_global_options(
    host: HostOption = "",
    config: ConfigOption = None,
    *,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log every call of a server.")] = False,
) -> None:
    """Hand on what stands before the verb, as the original's command line allowed it."""
    if verbose:
        logging.basicConfig(format="%(relativeCreated)d ms %(message)s")
        logging.getLogger("clara_fastio.platform.client").setLevel(logging.DEBUG)
    if host:
        os.environ["CLARA_HOST"] = host
    if config is not None:
        os.environ["CLARA_CONFIG"] = str(config)


@contextlib.contextmanager
def connect(host: str, config: Path | None, timeout: float | None = None) -> Iterator[Client]:
    """Make a client as the options, the environment and the configuration say."""
    # Ctrl-C has to leave files and the screen in order.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    settings = load_config(config)
    try:
        from clara_fastio.platform import Client, Tls
        from clara_fastio.platform.client.address import DEFAULT_ADDRESS
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("clara_fastio"):
            raise
        print(
            f"clara: {error.name} is not installed; to talk to a server takes "
            "pip install 'clara-fastio[server]'",
            file=sys.stderr,
        )
        raise typer.Exit(1) from error
    files = (settings.authority, settings.certificate, settings.key)
    tls = None
    if settings.tls or any(files):
        tls = Tls(authority=files[0], certificate=files[1], key=files[2])
    try:
        with Client(
            host or settings.host or DEFAULT_ADDRESS,
            token=token_of(settings),
            tls=tls,
            insecure=settings.insecure,
            timeout=timeout or settings.timeout,
        ) as client:
            yield client
    except KeyboardInterrupt as error:
        raise typer.Exit(130) from error


def pick(argument: str | None, option: str | None, what: str) -> str:
    """Take an id from where it was given: as an argument, or by its option."""
    return pick_one(argument, option, f"the id of one {what}")


def pick_one(argument: str | None, option: str | None, what: str) -> str:
    """Take what was given as an argument or by its option, which is to be one thing."""
    given = [each for each in (argument, option) if each]
    if len(given) != 1:
        raise typer.BadParameter(f"give {what}")
    return given[0]


def pick_all(arguments: list[str], options: list[str], what: str) -> list[str]:
    """Take ids from where they were given."""
    if not arguments + options:
        raise typer.BadParameter(f"give the id of a {what}, or of several")
    return arguments + options
