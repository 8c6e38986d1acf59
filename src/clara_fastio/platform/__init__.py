# SPDX-License-Identifier: Apache-2.0
"""The platform: a server of pipelines, jobs and payloads, and its clients.

What is named here is loaded when it is first used: grpc is slow to import.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clara_fastio.platform.client.address import Tls
    from clara_fastio.platform.client.aio import AsyncClient
    from clara_fastio.platform.client.models import (
        DefinitionFile,
        GpuProcess,
        GpuUtilization,
        Job,
        JobFilter,
        JobInfo,
        JobToken,
        NewJob,
        OperatorDetails,
        PayloadFile,
        PayloadInfo,
        Pipeline,
        PipelineInfo,
        ServerVersion,
    )
    from clara_fastio.platform.client.states import (
        JobPriority,
        JobState,
        JobStatus,
        OperatorStatus,
        PayloadType,
    )
    from clara_fastio.platform.client.sync import Client
    from clara_fastio.platform.client.transfers import Existing, Progress, Transfer

__all__ = [
    "AsyncClient",
    "Client",
    "DefinitionFile",
    "Existing",
    "GpuProcess",
    "GpuUtilization",
    "Job",
    "JobFilter",
    "JobInfo",
    "JobPriority",
    "JobState",
    "JobStatus",
    "JobToken",
    "NewJob",
    "OperatorDetails",
    "OperatorStatus",
    "PayloadFile",
    "PayloadInfo",
    "PayloadType",
    "Pipeline",
    "PipelineInfo",
    "Progress",
    "ServerVersion",
    "Tls",
    "Transfer",
]

_MODULES = ("states", "models", "transfers", "address", "aio", "sync")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES:
            found = importlib.import_module(f"clara_fastio.platform.client.{module}")
            if name in vars(found):
                return vars(found)[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
