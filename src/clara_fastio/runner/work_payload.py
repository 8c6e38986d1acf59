# SPDX-License-Identifier: Apache-2.0
"""The payload of a job that works in a folder of its own and delivers its results at the end."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.errors import (
    AlreadyExistsError,
    FastIOError,
    PipelineError,
    SystemCallError,
)
from clara_fastio.runner.delivery import RECORD, RESULTS, deliver
from clara_fastio.runner.payload import Payload
from clara_fastio.runner.workspace import Workspace

if TYPE_CHECKING:
    from clara_fastio.runner.settings import Settings


class WorkPayload(Payload):
    """The work folder of one job, and where its results go.

    Lifetime: until :meth:`deliver` or :meth:`discard`.

    Parameters
    ----------
    settings
        Which folders were given.
    job_id
        Name of the work folder.

    Raises
    ------
    AlreadyExistsError
        The output folder holds the results of an earlier run.
    PipelineError
        A folder cannot be made, or the input is none.
    """

    def __init__(self, settings: Settings, job_id: str) -> None:
        if settings.input is not None and not settings.input.is_dir():
            raise PipelineError(f"the input {str(settings.input)!r} is not a folder")
        self._output = settings.output
        self._overwrite = settings.overwrite
        self._keep = settings.keep
        self._job_id = job_id
        if self._output is not None:
            self._make_room(self._output)
        self._workspace = Workspace(settings.state, job_id)
        root = self._workspace.path
        source = root / "input" if settings.input is None else settings.input.resolve()
        super().__init__(root, root / "logs", source, root)
        self.record = root / "job.json"

    def sweep(self) -> None:
        """Remove what killed runners have left; it may take long."""
        self._workspace.sweep()

    @property
    def destination(self) -> Path | None:
        """Where the results will be, rooted; ``None`` when they are not kept."""
        if self._output is not None:
            return self._output.absolute()
        return self._workspace.kept if self._keep else None

    def deliver(self) -> None:
        """Move the results to where they are wanted; the work folder is gone afterwards.

        Raises
        ------
        SystemCallError
            They cannot be moved; the message says where they are instead.
        """
        if self._output is None:
            if self._keep:
                self._workspace.keep()
            self.discard()
            return
        staging = self._output / f".clara-{self._job_id}"
        try:
            self._make_room(self._output)
            self._workspace.remember(staging.resolve())
            staging.mkdir(mode=0o700)
            deliver(self.root, self._output, staging)
        except (OSError, FastIOError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SystemCallError(
                f"the results cannot be moved to {str(self._output)!r}: {reason}; "
                f"they are in {str(self._workspace.keep())!r}",
                errno=getattr(error, "errno", errno.EEXIST),
            ) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            self.discard()

    def discard(self) -> None:
        """Remove the work folder; twice is fine."""
        self._workspace.discard()

    def _make_room(self, output: Path) -> None:
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PipelineError(
                f"the output {str(output)!r} cannot be made: {error.strerror}"
            ) from error
        if not os.access(output, os.W_OK | os.X_OK):
            raise PipelineError(f"nothing can be written to the output {str(output)!r}")
        taken = [name for name in RESULTS if (output / name).exists()]
        if taken and not self._overwrite:
            raise AlreadyExistsError(
                f"the output {str(output)!r} already holds {', '.join(taken)} of an earlier run; "
                "choose another one, or say that it may be replaced (--overwrite)"
            )
        if foreign := _first_foreign(output):
            raise AlreadyExistsError(
                f"{str(foreign)!r} is no result of a run, so nothing in the output is replaced; "
                "remove it yourself, or choose another output"
            )


def _first_foreign(output: Path) -> Path | None:
    """Find something that was never a result; a run that was killed leaves results, too."""
    if (output / RECORD).exists() and not _is_record(output / RECORD):
        return output / RECORD
    for name, is_ours in (("operators", Path.is_dir), ("logs", _is_log)):
        if not (output / name).exists():
            continue
        if not (output / name).is_dir():
            return output / name
        for path in sorted((output / name).iterdir()):
            if not is_ours(path):
                return path
    return None


def _is_log(path: Path) -> bool:
    return path.suffix == ".log"


def _is_record(path: Path) -> bool:
    """Whether a file is what the end of a job writes."""
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and {"job_id", "operators", "edges"} <= record.keys()
