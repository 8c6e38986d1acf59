# SPDX-License-Identifier: Apache-2.0
"""The folders of a job's data: ``input/`` and ``operators/<operator>/<output>/``."""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clara_fastio.errors import (
    AlreadyExistsError,
    FastIOError,
    PipelineError,
    SystemCallError,
)
from clara_fastio.runner.delivery import RESULTS, deliver
from clara_fastio.runner.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from clara_fastio.pipeline import Input, Operator, Output, Pipeline
    from clara_fastio.runner.settings import Settings


@dataclass(frozen=True)
class DiskEntry:
    """An input or output on disk: its name, the path it declares, and the folder that it is."""

    name: str
    path: str
    folder: Path
    is_input: bool


class Payload:
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
        self.root = self._workspace.path
        self.input = self.root / "input" if settings.input is None else settings.input.resolve()
        #: An empty folder for the launcher to rebuild the tree of files in.
        self.mount_root = self.root / ".mounts"
        self.logs = self.root / "logs"

    def sweep(self) -> None:
        """Remove what killed runners have left; it may take long."""
        self._workspace.sweep()

    def create(self, pipeline: Pipeline) -> None:
        """Make every folder that the operators expect."""
        for folder in (self.input, self.mount_root, self.logs):
            folder.mkdir(exist_ok=True)
        for operator in pipeline.operators:
            self.folder_of(operator.name, None).mkdir(parents=True)
            for entry in self.outputs(operator):
                entry.folder.mkdir(exist_ok=True)

    def folder_of(self, operator: str, output: str | None) -> Path:
        """Give the folder of an output; one without a name is the operator's folder itself."""
        folder = self.root / "operators" / operator
        return folder / output if output else folder

    def source_of(self, entry: Input) -> Path:
        """Give the folder that an input shows."""
        return self.folder_of(entry.source, entry.output) if entry.source else self.input

    def inputs(self, operator: Operator) -> list[DiskEntry]:
        """List the inputs on disk; where their names would be equal, their sources are added."""
        found = [(entry, entry.name or "") for entry in operator.inputs if entry.path]
        count = Counter(name.casefold() for _, name in found)
        return [
            DiskEntry(
                name if count[name.casefold()] == 1 else _full_name(entry),
                entry.path or "",
                self.source_of(entry),
                is_input=True,
            )
            for entry, name in found
        ]

    def outputs(self, operator: Operator) -> list[DiskEntry]:
        """List the outputs on disk."""
        return [self._output_entry(operator, entry) for entry in operator.outputs if entry.path]

    def _output_entry(self, operator: Operator, entry: Output) -> DiskEntry:
        folder = self.folder_of(operator.name, entry.name)
        return DiskEntry(entry.name or "", entry.path or "", folder, is_input=False)

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


def _full_name(entry: Input) -> str:
    """Name an input after the operator and the output that it comes from."""
    if entry.source is None:
        return entry.name or ""
    return f"{entry.source}/{entry.output}" if entry.output else entry.source


def size_of(folder: Path) -> int:
    """Add up the bytes of all files below a folder, in its present state."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - many files
            except OSError:  # Removed while we look.
                continue
    return total
