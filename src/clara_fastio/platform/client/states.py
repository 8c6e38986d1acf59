# SPDX-License-Identifier: Apache-2.0
"""Words of the platform for what jobs, operators and payloads are in."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a job is in its life."""

    UNKNOWN = "unknown"
    #: Created, or started and queued.
    PENDING = "pending"
    RUNNING = "running"
    #: For good; the status says how.
    STOPPED = "stopped"


class JobStatus(StrEnum):
    """How a job is, and how it ended once it is stopped."""

    UNKNOWN = "unknown"
    #: Of a stopped job: completed.
    HEALTHY = "healthy"
    #: An operator failed.
    FAULTED = "faulted"
    CANCELED = "canceled"
    #: The server went down while it ran.
    EVICTED = "evicted"
    #: Its time was over.
    TERMINATED = "terminated"


class JobPriority(StrEnum):
    """How often a job is chosen from the queue."""

    UNKNOWN = "unknown"
    LOWER = "lower"
    NORMAL = "normal"
    HIGHER = "higher"
    #: Before all others.
    IMMEDIATE = "immediate"


class OperatorStatus(StrEnum):
    """Where an operator of a job is in its life; one that never ran stays pending."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAULTED = "faulted"


class PayloadType(StrEnum):
    """Whose files they are."""

    UNKNOWN = "unknown"
    #: Of one job; clients fill its input until the job is started.
    PIPELINE = "pipeline"
    #: Input for any number of jobs.
    REUSABLE = "reusable"
