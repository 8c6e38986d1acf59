# SPDX-License-Identifier: Apache-2.0
"""What operators run as: processes of the user, or containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clara_fastio.runner.runtimes.launch import Exit, Launch
from clara_fastio.runner.runtimes.process import ProcessRuntime
from clara_fastio.runner.runtimes.runtime import Connections, Runtime
from clara_fastio.runner.runtimes.started import StartedOperator

if TYPE_CHECKING:
    from clara_fastio.runner.runtimes.engine import Engine
    from clara_fastio.runner.settings import RuntimeName, Settings

__all__ = [
    "Connections",
    "Exit",
    "Launch",
    "Runtime",
    "StartedOperator",
    "engine_of",
    "make_runtime",
]


def make_runtime(settings: Settings, job_id: str) -> Runtime:
    """Make the runtime of one job."""
    if settings.runtime == "process":
        return ProcessRuntime(job_id, settings.environment, settings.devices)
    from clara_fastio.runner.runtimes.container import ContainerRuntime

    engine = engine_of(settings.runtime)
    return ContainerRuntime(job_id, settings.environment, engine, settings.devices)


def engine_of(runtime: RuntimeName) -> Engine:
    """Give the engine of a runtime that runs containers."""
    from clara_fastio.runner.runtimes.docker import Docker
    from clara_fastio.runner.runtimes.podman import Podman

    return Podman() if runtime == "podman" else Docker()
