# SPDX-License-Identifier: Apache-2.0
"""How one run is to be made."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.runner.images import Images
from clara_fastio.runner.workspace import state_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class RuntimeName(StrEnum):
    """What runs the operators."""

    PROCESS = "process"
    PODMAN = "podman"
    DOCKER = "docker"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Folders that outlive the run, in which a job works under a name that it was given.

    Parameters
    ----------
    job_id, job_name
        What operators are told.
    payload
        Holds ``input/`` and receives ``operators/``.
    logs
        Receives the operators' logs.
    scratch
        A folder for this run alone; whoever made it removes it.
    """

    job_id: str
    job_name: str
    payload: Path
    logs: Path
    scratch: Path


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How one run is to be made.

    Parameters
    ----------
    input
        The folder that inputs without ``from`` show; an empty one when left out.
    output
        The folder that receives ``operators/``, ``logs/`` and ``job.json``; made if it is not
        there. Without it the results vanish with the work folder.
    overwrite
        Replace the results of an earlier run in `output`.
    images
        The programs behind the images' names.
    timeout
        Seconds that the job may take; ``None`` leaves the pipeline's own limit, if it has one.
    grace
        Seconds between asking an operator to stop and killing it.
    keep
        Without an output folder, move the work folder to ``kept/`` in `state` at the end.
    state
        Where jobs have their work folders; what killed runners have left there is removed.
    directory
        Where a command without an image is started.
    environment
        What operators inherit; this process's own when left out.
    enforce_memory
        End an operator that uses more memory than it requests, and fail the job; else it is only
        told. Containers are always limited.
    devices
        GPUs of this job alone, of which operators get as many as they request; ``None`` for those
        of ``CUDA_VISIBLE_DEVICES`` or of the machine, which processes then all see.
    log_limit
        Bytes of an operator's log; of a longer one, its beginning and its end are kept.
    services
        Variables that tell each operator where its services are; operators that are not named here
        may have no services. A variable of the definition goes before one of the same name.
    runtime
        What runs the operators: ``process``, ``podman`` or ``docker``.
    place
        Work there and leave everything there; `input`, `output`, `overwrite`, `keep` and `state`
        mean nothing then.
    """

    input: Path | None = None
    output: Path | None = None
    overwrite: bool = False
    images: Images = field(default_factory=Images)
    timeout: float | None = None
    grace: float = 15.0
    keep: bool = False
    state: Path = field(default_factory=state_folder)
    directory: Path = field(default_factory=Path.cwd)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    enforce_memory: bool = False
    devices: Sequence[str] | None = None
    log_limit: int | None = None
    services: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    runtime: RuntimeName = RuntimeName.PROCESS
    place: Place | None = None
