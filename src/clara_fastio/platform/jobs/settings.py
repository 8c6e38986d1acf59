# SPDX-License-Identifier: Apache-2.0
"""How jobs are run."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clara_fastio.platform.jobs.capacity import Resources, machine_resources
from clara_fastio.platform.jobs.log_retention import Retention
from clara_fastio.platform.jobs.plan import Plan
from clara_fastio.runner import Images, RuntimeName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from clara_fastio.pipeline import Pipeline
    from clara_fastio.platform.jobs.blueprint import Blueprint
    from clara_fastio.platform.records.jobs import JobRecord


@dataclass(frozen=True, kw_only=True)
class JobSettings:
    """How jobs are run.

    Parameters
    ----------
    root
        Folder of the server; ``logs`` and ``scratch`` are made in it.
    service_data
        Folder of files for services; ``service-data`` in `root`, made there, when left out.
    images
        The programs behind the images' names.
    allow_any_command
        Run the command of an operator whose image is not among them.
    slots
        Jobs that run at the same time; ``None`` for as many as there is room for.
    capacity
        What the jobs that run may request together; the whole machine when left out.
    devices
        Names of the GPUs in `capacity`; numbers when left out.
    timeout_default, timeout_maximum
        Seconds that a job may take whose definition says nothing, and that any may take.
    grace
        Seconds between asking an operator to stop and killing it.
    runtime
        What runs the operators.
    log_limit
        Bytes of one operator's or service's log; ``None`` for no limit.
    retention
        How long logs are kept.
    """

    root: Path
    service_data: Path | None = None
    images: Images = field(default_factory=Images)
    allow_any_command: bool = False
    slots: int | None = None
    capacity: Resources = field(default_factory=machine_resources)
    devices: Sequence[str] | None = None
    timeout_default: float = 600.0
    timeout_maximum: float = 1800.0
    grace: float = 15.0
    runtime: RuntimeName = RuntimeName.PROCESS
    log_limit: int | None = None
    retention: Retention = field(default_factory=Retention)

    @property
    def logs(self) -> Path:
        """The folder of all logs, one folder per job in it."""
        return self.root / "logs"

    @property
    def scratch(self) -> Path:
        """The folder of what only running jobs need."""
        return self.root / "scratch"

    @property
    def data_of_services(self) -> Path:
        """The folder of the files that all services may read."""
        return self.service_data or self.root / "service-data"

    @property
    def most_jobs(self) -> int:
        """How many jobs may run at once."""
        return sys.maxsize if self.slots is None else self.slots

    def timeout_of(self, pipeline: Pipeline) -> float:
        """Give the seconds that a job may take."""
        wanted = self.timeout_default if pipeline.timeout is None else pipeline.timeout
        return min(wanted, self.timeout_maximum)

    def refusal_of(self, pipeline: Pipeline) -> str:
        """Say why no job of a pipeline may run here; empty if it may."""
        for operator in pipeline.operators:
            if refusal := self._refusal_of(operator.image, operator.command):
                return f"operator {operator.name!r}: {refusal}"
            for service in operator.services:
                if refusal := self._refusal_of(service.image, service.command):
                    return f"service {service.name!r}: {refusal}"
        return ""

    def _refusal_of(self, image: str, command: Sequence[str]) -> str:
        if image in self.images:
            return ""
        if not self.allow_any_command:
            return (
                f"the image {image!r} is not registered with this server, which runs no other; "
                "ask its administrator to name it in the images file"
            )
        if not command:
            return (
                f"nothing is known to run for the image {image!r}; give it a command, or ask the "
                "server's administrator to name the image in the images file"
            )
        return ""

    def plan_of(
        self,
        job: JobRecord,
        blueprint: Blueprint,
        payload: Path,
        *,
        services: Mapping[str, Mapping[str, str]],
        devices: Sequence[str],
    ) -> Plan:
        """Give all that a runner has to know."""
        pipeline = blueprint.pipeline
        return Plan(
            job_id=job.id,
            job_name=job.name,
            files=blueprint.definition.files,
            arguments=job.parameters,
            payload=payload,
            logs=self.logs / job.id,
            scratch=self.scratch / job.id,
            timeout=self.timeout_of(pipeline),
            grace=self.grace,
            images=self.images.only(operator.image for operator in pipeline.operators),
            devices=devices,
            log_limit=self.log_limit,
            services=services,
            runtime=self.runtime,
        )
