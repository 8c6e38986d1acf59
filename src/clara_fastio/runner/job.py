# SPDX-License-Identifier: Apache-2.0
"""What all operators of one running job share."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clara_fastio.runner.environment import (
    declarations,
    expand,
    numbered_devices,
    path_list,
)
from clara_fastio.runner.memory import source_variable, typed_inputs, typed_outputs, variable_name
from clara_fastio.runner.runtimes.launch import Launch

if TYPE_CHECKING:
    from collections.abc import Callable

    from clara_fastio.pipeline import Operator, Pipeline
    from clara_fastio.runner.events import Observer
    from clara_fastio.runner.images import Image
    from clara_fastio.runner.memory import JobMemory
    from clara_fastio.runner.payload import Payload
    from clara_fastio.runner.runtimes.runtime import Connections, Runtime
    from clara_fastio.runner.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of a pipeline."""

    id: str
    pipeline: Pipeline
    settings: Settings
    payload: Payload
    memory: JobMemory
    runtime: Runtime
    observe: Observer
    started: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        """What operators are told."""
        place = self.settings.place
        return place.job_name if place else self.pipeline.name

    @property
    def timeout(self) -> float | None:
        """Seconds that the job may take."""
        own = self.settings.timeout
        return self.pipeline.timeout if own is None else own

    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def launch(
        self,
        operator: Operator,
        image: Image,
        connections: Connections,
        on_line: Callable[[str], None],
    ) -> Launch:
        """Give all that is needed to start an operator.

        Parameters
        ----------
        operator
            Its definition.
        image
            Its program.
        connections
            How it reaches the runner.
        on_line
            Takes the lines that it prints.
        """
        environment = self._environment_of(operator, image) | dict(connections.environment)
        return Launch(
            operator=operator.name,
            image=image,
            command=expand(image.command, environment),
            environment=environment,
            directory=image.directory or self.settings.directory,
            entries=[*self.payload.inputs(operator), *self.payload.outputs(operator)],
            requests=operator.requests,
            log=self.payload.logs / f"{operator.name}.log",
            log_limit=self.settings.log_limit,
            on_line=on_line,
        )

    def _environment_of(self, operator: Operator, image: Image) -> dict[str, str]:
        literal = self.runtime.shows_paths
        outputs = [
            (entry, variable_name(operator.name, entry.name or ""))
            for entry in typed_outputs(operator)
        ]
        environment = self.runtime.base_environment()
        environment |= dict(image.environment)
        environment |= dict(self.settings.services.get(operator.name, {}))
        environment |= dict(operator.variables)
        environment |= {
            "NVIDIA_CLARA_INPUTPATHS": path_list(self.payload.inputs(operator), literal=literal),
            "NVIDIA_CLARA_OUTPUTPATHS": path_list(self.payload.outputs(operator), literal=literal),
            "NVIDIA_CLARA_JOBID": self.id,
            "NVIDIA_CLARA_JOBNAME": self.name,
            "NVIDIA_CLARA_STAGENAME": operator.name,
            "CLARA_FASTIO_GRACE": str(self.settings.grace),
            "CLARA_FASTIO_INPUTS": declarations(
                [(entry, source_variable(entry)) for entry in typed_inputs(operator)]
            ),
            "CLARA_FASTIO_OUTPUTS": declarations(outputs),
        }
        if numbers := numbered_devices(outputs):
            environment["CLARA_FASTIO_CUDA_DEVICES"] = numbers
        if limits := [limit for limit in (operator.timeout, self.timeout) if limit is not None]:
            environment["NVIDIA_CLARA_STAGETIMEOUT"] = f"{min(limits):g}"
        return environment
