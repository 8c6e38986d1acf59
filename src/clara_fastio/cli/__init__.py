# SPDX-License-Identifier: Apache-2.0
"""The program ``clara``. This module only assembles it; each noun or verb has its own."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import NoReturn


def main() -> None:
    """Run the command line and end the process with a documented exit code."""
    # A short command simply ends by Ctrl-C; those that own something take the signal over.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from clara_fastio.cli.app import app
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("clara_fastio"):
            raise
        print(
            f"clara: {error.name} is not installed; the command line needs "
            "pip install 'clara-fastio[pipeline]'",
            file=sys.stderr,
        )
        sys.exit(1)
    from clara_fastio.errors import FastIOError

    try:
        app(prog_name="clara")
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not flush into it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except (FastIOError, OSError) as error:
        _fail(error)
    except ExceptionGroup as group:
        # A command that does several things at once failed in one of them.
        expected, _ = group.split((FastIOError, OSError))
        if expected is None:
            raise
        _fail(_first(expected))


def _first(group: ExceptionGroup[Exception]) -> Exception:
    found: Exception = group
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[0]
    return found


def _fail(error: Exception) -> NoReturn:
    from clara_fastio.cli.exit_codes import exit_code_of

    print(f"clara: {error}", file=sys.stderr)
    with contextlib.suppress(OSError):
        sys.stdout.close()  # What it still holds cannot be written, perhaps.
    sys.exit(exit_code_of(error))
