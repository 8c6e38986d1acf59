# SPDX-License-Identifier: Apache-2.0
"""The folders of a job's data: ``input/`` and ``operators/<operator>/<output>/``."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.errors import AlreadyExistsError, PipelineError

if TYPE_CHECKING:
    from clara_fastio.pipeline import Input, Operator, Output, Pipeline
    from clara_fastio.runner.settings import Settings

_RESULTS = ("operators", "logs", "job.json")


@dataclass(frozen=True)
class DiskEntry:
    """An input or output on disk: its name, the path it declares, and the folder that it is."""

    name: str
    path: str
    folder: Path
    is_input: bool


class Payload:
    """The work folder of one job, and where its results go.

    Parameters
    ----------
    settings
        Which folders were given.
    job_id
        Part of the work folder's name.
    """

    def __init__(self, settings: Settings, job_id: str) -> None:
        if settings.input is not None and not settings.input.is_dir():
            raise PipelineError(f"the input {str(settings.input)!r} is not a folder")
        self._output = settings.output
        self._keep = settings.keep
        if self._output is None:
            self.root = _make_folder(None, job_id)
        else:
            self._make_room(self._output, overwrite=settings.overwrite)
            self.root = _make_folder(self._output, job_id)
        self.input = self.root / "input" if settings.input is None else settings.input.resolve()
        #: An empty folder for the launcher to rebuild the tree of files in.
        self.mount_root = self.root / ".mounts"
        self.logs = self.root / "logs"

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
        """List the inputs on disk."""
        return [
            DiskEntry(entry.name or "", entry.path, self.source_of(entry), is_input=True)
            for entry in operator.inputs
            if entry.path is not None
        ]

    def outputs(self, operator: Operator) -> list[DiskEntry]:
        """List the outputs on disk."""
        return [self._output_entry(operator, entry) for entry in operator.outputs if entry.path]

    def _output_entry(self, operator: Operator, entry: Output) -> DiskEntry:
        folder = self.folder_of(operator.name, entry.name)
        return DiskEntry(entry.name or "", entry.path or "", folder, is_input=False)

    @property
    def destination(self) -> Path | None:
        """Where the results are after :meth:`deliver`; ``None`` when nothing is kept."""
        return self._output or (self.root if self._keep else None)

    def deliver(self) -> None:
        """Move the results to the output folder and remove the work folder, unless it is kept."""
        if self._output is not None:
            for name in _RESULTS:
                old, new = self._output / name, self.root / name
                if old.exists():
                    old.rename(self.root / f"replaced-{name}")
                if new.exists():
                    new.rename(old)
        if self.destination != self.root:
            self.discard()

    def discard(self) -> None:
        """Remove the work folder."""
        shutil.rmtree(self.root, ignore_errors=True)

    @staticmethod
    def _make_room(output: Path, *, overwrite: bool) -> None:
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PipelineError(f"the output {str(output)!r} cannot be made: {error}") from error
        taken = [name for name in _RESULTS if (output / name).exists()]
        if taken and not overwrite:
            raise AlreadyExistsError(
                f"the output {str(output)!r} already holds {', '.join(taken)} of an earlier run; "
                "choose another one, or allow it to be replaced"
            )


def _make_folder(parent: Path | None, job_id: str) -> Path:
    # Hidden beside results, in plain sight among other temporary folders.
    prefix = f"clara-{job_id[:8]}-" if parent is None else f".clara-{job_id[:8]}-"
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent)).resolve()


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
