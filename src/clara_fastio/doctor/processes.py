# SPDX-License-Identifier: Apache-2.0
"""Other programs, each with a limit of time, so that none can hold the examination up."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Seconds to wait for a killed process; one that a driver keeps in the kernel may never end.
_FAREWELL = 1.0


class ProgramError(Exception):
    """A program did not do what it was started for; the text says how it ended."""


@dataclass(frozen=True)
class Ended:
    """How a program ended, and what it said; `code` is ``None`` when it was out of time."""

    code: int | None
    output: str
    errors: str
    timeout: float

    def describe(self) -> str:
        """Say how, in a few words without a full stop."""
        said = (self.errors.strip() or self.output.strip()).splitlines()
        reason = f": {said[-1].strip()}" if said else ""
        if self.code is None:
            return f"it did not end within {self.timeout:g} s{reason}"
        if self.code < 0:
            with contextlib.suppress(ValueError):
                return f"it was killed by {signal.Signals(-self.code).name}{reason}"
            return f"it was killed by signal {-self.code}{reason}"
        return f"it ended with status {self.code}{reason}"


def run(
    command: Sequence[str], timeout: float, environment: Mapping[str, str] | None = None
) -> Ended:
    """Run a program to its end, or kill it.

    Parameters
    ----------
    command
        Its path, and its arguments.
    timeout
        Seconds that it may take.
    environment
        Added to this process's.

    Raises
    ------
    OSError
        It cannot be started.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as late:
        _abandon(process)
        return Ended(None, _text(late.stdout), _text(late.stderr), timeout)
    except BaseException:
        _abandon(process)
        raise
    return Ended(process.returncode, _text(output), _text(errors), timeout)


def ask_child(
    *arguments: str, timeout: float, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run `clara_fastio.doctor.child`, and give the object that it prints.

    Parameters
    ----------
    arguments
        What it is to do.
    timeout
        Seconds that it may take.
    environment
        Added to this process's.

    Raises
    ------
    ProgramError
        It printed none.
    """
    # -P: a file of the current folder must not be taken for a module.
    command = [sys.executable, "-P", "-m", "clara_fastio.doctor.child", *arguments]
    ended = run(command, timeout, environment)
    try:
        answer = json.loads(ended.output.splitlines()[-1])
    except (IndexError, ValueError):
        raise ProgramError(ended.describe()) from None
    if ended.code != 0 or not isinstance(answer, dict):
        raise ProgramError(ended.describe())
    return answer


def _abandon(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_FAREWELL)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _text(received: bytes | None) -> str:
    return (received or b"").decode(errors="replace")
