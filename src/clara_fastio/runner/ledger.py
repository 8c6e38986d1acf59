# SPDX-License-Identifier: Apache-2.0
"""Which bytes went along which edge of a job."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from clara_fastio.runner.memory import source_variable
from clara_fastio.runner.payload import size_of
from clara_fastio.runner.result import EdgeReport

if TYPE_CHECKING:
    from pathlib import Path

    from clara_fastio.pipeline import Input, Operator
    from clara_fastio.runner.job import Job


class Ledger:
    """Counts the bytes of each edge; folders are measured in threads.

    Parameters
    ----------
    job
        The job, just about to start: its own input is measured at once.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._sizes: dict[Path, int] = {}
        self._measuring: set[asyncio.Task[None]] = set()
        if any(not entry.source for each in job.pipeline.operators for entry in each.inputs):
            self._measure(job.payload.input)

    def count_outputs(self, operator: Operator) -> None:
        """Measure the folders of an operator that has just completed."""
        entries = self._job.payload.outputs(operator)
        for folder in {self._job.payload.folder_of(operator.name, None)} | {
            entry.folder for entry in entries
        }:
            self._measure(folder)

    async def settle(self) -> None:
        """Wait until all measuring has ended."""
        if self._measuring:
            await asyncio.wait(self._measuring)

    def edges(self) -> tuple[EdgeReport, ...]:
        """List every edge with what it has carried so far."""
        return tuple(
            self._edge(operator, entry)
            for operator in self._job.pipeline.operators
            for entry in operator.inputs
        )

    def _edge(self, operator: Operator, entry: Input) -> EdgeReport:
        nbytes, versions, medium = 0, 0, "disk"
        if entry.edge is not None:
            passed = self._job.memory.frames(operator.name, entry)
            nbytes, versions, medium = passed.nbytes * passed.versions, passed.versions, "stream"
        elif entry.is_typed_memory:
            passed = self._job.memory.passed(source_variable(entry))
            nbytes, versions = passed.nbytes * passed.versions, passed.versions
            medium = "memory"
        else:
            size = self._sizes.get(self._job.payload.source_of(entry))
            nbytes, versions = (0, 0) if size is None else (size, 1)
        return EdgeReport(
            source=entry.source or "",
            output=entry.output or "",
            target=operator.name,
            input=entry.name or "",
            medium=medium,
            memory=entry.memory if entry.is_typed_memory else "",
            nbytes=nbytes,
            versions=versions,
        )

    def _measure(self, folder: Path) -> None:
        async def measure() -> None:
            self._sizes[folder] = await asyncio.to_thread(size_of, folder)

        task = asyncio.create_task(measure())
        self._measuring.add(task)
        task.add_done_callback(self._measuring.discard)
