# SPDX-License-Identifier: Apache-2.0
"""What a runtime is told about an operator, and what it tells about its end."""

from __future__ import annotations

from dataclasses import dataclass
from signal import Signals
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from clara_fastio.pipeline import Requests
    from clara_fastio.runner.images import Image
    from clara_fastio.runner.payload import DiskEntry


@dataclass(frozen=True, kw_only=True)
class Launch:
    """All that is needed to start one operator.

    Parameters
    ----------
    operator
        Its name.
    image
        What the command is started in or from.
    command
        The whole command line; only an image that is a container's may do without.
    environment
        Of the operator, complete.
    directory
        Where a process is started.
    entries
        Its inputs and outputs on disk.
    requests
        What it may use, where the runtime can limit that.
    log
        The file that receives its output.
    log_limit
        Bytes of it; of a longer one, its beginning and its end are kept.
    on_line
        Takes each line of it.
    """

    operator: str
    image: Image
    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    entries: Sequence[DiskEntry]
    requests: Requests
    log: Path
    log_limit: int | None
    on_line: Callable[[str], None]


@dataclass(frozen=True)
class Exit:
    """How an operator ended; `error` says why it could not even be started.

    `what` is the thing that ended, and `hint` what may have been the reason.
    """

    code: int
    peak_memory: int | None
    error: str = ""
    what: str = "process"
    hint: str = ""

    def describe(self) -> str:
        """Say how, in a sentence without its full stop."""
        if self.error:
            return self.error
        hint = f", {self.hint}" if self.hint else ""
        if self.code < 0:
            return f"the {self.what} was killed by {_signal_name(-self.code)}{hint}"
        return f"the {self.what} exited with code {self.code}{hint}"


def _signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"
