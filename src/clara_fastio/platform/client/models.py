# SPDX-License-Identifier: Apache-2.0
"""What the server knows, as values. Times are in UTC, whole seconds, ``None`` for not yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clara_fastio.platform.client.states import (
    JobPriority,
    JobState,
    JobStatus,
    OperatorStatus,
    PayloadType,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class PipelineInfo:
    """A pipeline as it is listed."""

    id: str
    name: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DefinitionFile:
    """One file of a definition."""

    path: str
    content: str


@dataclass(frozen=True, kw_only=True)
class Pipeline(PipelineInfo):
    """A pipeline with its definition.

    Attributes
    ----------
    files
        The main file first.
    graph
        By the name of each operator, the operators that follow it.
    """

    files: tuple[DefinitionFile, ...] = ()
    graph: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """The ids of a job that was just created."""

    id: str
    payload_id: str


@dataclass(frozen=True, kw_only=True)
class JobToken:
    """What start and cancel answer."""

    id: str
    state: JobState
    status: JobStatus
    priority: JobPriority = JobPriority.UNKNOWN


@dataclass(frozen=True, kw_only=True)
class JobInfo:
    """A job as it is listed."""

    id: str
    name: str
    pipeline_id: str
    payload_id: str
    state: JobState
    status: JobStatus
    priority: JobPriority
    created: datetime | None = None
    started: datetime | None = None
    stopped: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state is JobState.STOPPED

    @property
    def has_succeeded(self) -> bool:
        """Whether all its operators completed."""
        return self.is_stopped and self.status is JobStatus.HEALTHY


@dataclass(frozen=True, kw_only=True)
class OperatorDetails:
    """One operator of a job.

    Attributes
    ----------
    input_dependencies, order_dependencies
        The operators whose outputs it reads, and those it only comes after.
    """

    name: str
    status: OperatorStatus
    created: datetime | None = None
    started: datetime | None = None
    stopped: datetime | None = None
    input_dependencies: tuple[str, ...] = ()
    order_dependencies: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Job(JobInfo):
    """A job with its operators.

    Attributes
    ----------
    messages
        What it reports; of one that failed, the first failure.
    operators
        In the order of the graph.
    """

    messages: tuple[str, ...] = ()
    operators: tuple[OperatorDetails, ...] = ()


@dataclass(frozen=True, kw_only=True)
class JobFilter:
    """Which jobs are listed: those that meet every field, by any of its values.

    Attributes
    ----------
    states, statuses, pipeline_ids
        Empty for all.
    created_after, completed_before
        A time without a zone is local. Jobs that have not stopped are not completed.
    """

    states: tuple[JobState, ...] = ()
    statuses: tuple[JobStatus, ...] = ()
    pipeline_ids: tuple[str, ...] = ()
    created_after: datetime | None = None
    completed_before: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class PayloadFile:
    """A file of a payload: its name from the payload's root on, its size in bytes, its mode."""

    name: str
    size: int
    mode: int = 0


@dataclass(frozen=True, kw_only=True)
class PayloadInfo:
    """A payload with its files; `job_id` is empty unless it is a job's."""

    id: str
    type: PayloadType
    job_id: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    files: tuple[PayloadFile, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, kw_only=True)
class ServerVersion:
    """The version of a server."""

    major: int
    minor: int
    patch: int
    label: str = ""

    def __str__(self) -> str:
        numbers = f"{self.major}.{self.minor}.{self.patch}"
        return f"{numbers}-{self.label}" if self.label else numbers


@dataclass(frozen=True, kw_only=True)
class GpuProcess:
    """Who uses a GPU: an operator of a job, or, without a job, another program."""

    name: str
    job_id: str = ""


@dataclass(frozen=True, kw_only=True)
class GpuUtilization:
    """One GPU at one moment; shares are from 0 to 1, memory in megabytes."""

    node: str
    pcie: int
    compute: float
    memory: float
    memory_free: int
    memory_used: int
    time: datetime | None = None
    processes: tuple[GpuProcess, ...] = ()
