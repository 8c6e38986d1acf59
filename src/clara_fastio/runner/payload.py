# SPDX-License-Identifier: Apache-2.0
"""The folders of a job's data: ``input/`` and ``operators/<operator>/<output>/``."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from clara_fastio.pipeline import Input, Operator, Output, Pipeline
    from clara_fastio.runner.settings import Place


@dataclass(frozen=True)
class DiskEntry:
    """An input or output on disk: its name, the path it declares, and the folder that it is."""

    name: str
    path: str
    folder: Path
    is_input: bool


class Payload:
    """The folders of one job that stay where they are.

    Parameters
    ----------
    root
        Receives ``operators/``.
    logs
        Receives the operators' logs.
    source
        What inputs without ``from`` show.
    scratch
        For this run alone.
    """

    def __init__(self, root: Path, logs: Path, source: Path, scratch: Path) -> None:
        self.root = root
        self.logs = logs
        self.input = source
        #: An empty folder for the launcher to rebuild the tree of files in.
        self.mount_root = scratch / ".mounts"
        #: The file that is to tell how the job went, if there is to be one.
        self.record: Path | None = None

    @classmethod
    def at(cls, place: Place) -> Payload:
        """Take folders that somebody else has made and keeps."""
        return cls(place.payload, place.logs, place.payload / "input", place.scratch)

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
        """Where the results will be, rooted; ``None`` when the caller knows."""
        return None

    def sweep(self) -> None:
        """Remove what killed runners have left; it may take long."""

    def deliver(self) -> None:
        """Bring the results to where they are wanted."""

    def discard(self) -> None:
        """Remove what nobody wants any more; twice is fine."""


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
