# SPDX-License-Identifier: Apache-2.0
"""Run a pipeline on this machine: one process per operator, one shared-memory context per job."""

from __future__ import annotations

from clara_fastio.runner.events import Event, LogLine, Note, StateChanged
from clara_fastio.runner.images import Image, Images, load_images
from clara_fastio.runner.interruption import interruptible
from clara_fastio.runner.result import (
    EdgeReport,
    Failure,
    OperatorReport,
    OperatorState,
    RunResult,
    RunStatus,
)
from clara_fastio.runner.runner import Runner, run_pipeline
from clara_fastio.runner.settings import Place, RuntimeName, Settings

__all__ = [
    "EdgeReport",
    "Event",
    "Failure",
    "Image",
    "Images",
    "LogLine",
    "Note",
    "OperatorReport",
    "OperatorState",
    "Place",
    "RunResult",
    "RunStatus",
    "Runner",
    "RuntimeName",
    "Settings",
    "StateChanged",
    "interruptible",
    "load_images",
    "run_pipeline",
]
