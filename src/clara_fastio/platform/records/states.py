# SPDX-License-Identifier: Apache-2.0
"""States of jobs and operators, in the numbers of the wire."""

from __future__ import annotations

from enum import IntEnum


class JobState(IntEnum):
    """Where in its life a job is; there is no way back."""

    PENDING = 1
    RUNNING = 2
    STOPPED = 3


class JobStatus(IntEnum):
    """How a job is doing or, once it is stopped, why it has ended."""

    HEALTHY = 1
    FAULTED = 2
    CANCELED = 3
    EVICTED = 4  #: The server ended while the job ran.
    TERMINATED = 5  #: It reached a time limit.


class JobPriority(IntEnum):
    """How soon a queued job has its turn."""

    LOWER = 1
    NORMAL = 2
    HIGHER = 3
    IMMEDIATE = 4


class OperatorStatus(IntEnum):
    """How an operator of a job is doing."""

    UNKNOWN = 0
    PENDING = 1
    RUNNING = 2
    COMPLETED = 3
    FAULTED = 4
