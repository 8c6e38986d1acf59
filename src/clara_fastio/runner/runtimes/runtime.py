# SPDX-License-Identifier: Apache-2.0
"""What every runtime offers to the runner."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clara_fastio.pipeline import Operator
    from clara_fastio.runner.channel import Channel
    from clara_fastio.runner.images import Image
    from clara_fastio.runner.memory import JobMemory
    from clara_fastio.runner.payload import Payload
    from clara_fastio.runner.runtimes.launch import Launch
    from clara_fastio.runner.runtimes.started import StartedOperator


class Connections(ABC):
    """How one operator reaches the runner: its control channel and the job's memory.

    Lifetime: until :meth:`close`; :meth:`hand_over` comes before, when the operator was started.

    Attributes
    ----------
    control
        The runner's end.
    environment
        The variables that tell the operator.
    descriptors
        That it inherits under the same numbers.
    """

    control: Channel
    environment: Mapping[str, str]
    descriptors: Sequence[int] = ()

    @abstractmethod
    def hand_over(self) -> None:
        """Give up what belongs to the operator alone; twice is fine."""

    @abstractmethod
    def process_ended(self) -> None:
        """Expect nobody any more who has not connected by now."""

    @abstractmethod
    def close(self) -> None:
        """Give up everything; twice is fine."""


class Runtime(ABC):
    """Runs the operators of one job.

    Parameters
    ----------
    job_id
        Whose operators.
    environment
        The runner's.
    """

    def __init__(self, job_id: str, environment: Mapping[str, str]) -> None:
        self.job_id = job_id
        self.environment = environment
        #: Whether operators find their folders at the paths that they declare; after `prepare`.
        self.shows_paths = False

    #: Whether an image's own entry point is known, so that an operator needs no command.
    knows_entry_points = False

    @abstractmethod
    async def prepare(self, payload: Payload, operators: Iterable[tuple[Operator, Image]]) -> str:
        """Find out what is possible here, before anything is started.

        Returns
        -------
        str
            A remark for whoever runs the job, or nothing.

        Raises
        ------
        PipelineError
            The job cannot be run like this.
        """

    @abstractmethod
    def base_environment(self) -> dict[str, str]:
        """Give the variables that every operator gets."""

    @abstractmethod
    def connect(self, memory: JobMemory, operator: str) -> Connections:
        """Make the connections of one operator."""

    @abstractmethod
    async def start(self, launch: Launch, connections: Connections) -> StartedOperator:
        """Start an operator that has these connections.

        Raises
        ------
        OSError
            The system refuses it.
        """

    @abstractmethod
    async def close(self) -> None:
        """Leave nothing of the job behind; all operators have ended."""
