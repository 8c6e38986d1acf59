# SPDX-License-Identifier: Apache-2.0
"""The job's shared memory: the runner hosts its context, declares, counts and frees."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clara_fastio.errors import FreedError, NotFoundError
from clara_fastio.pipeline.model import Placement
from clara_fastio.runner.streams import JobStream
from clara_fastio.streams import Policy
from clara_fastio.types import MemoryKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from socket import socket

    from clara_fastio import Context
    from clara_fastio.pipeline import Input, Operator, Output, Pipeline
    from clara_fastio.runner.stream_report import StreamReport


@dataclass(frozen=True)
class Passed:
    """What a variable carried: bytes of one version, and how many versions were committed."""

    nbytes: int
    versions: int


_NOTHING = Passed(0, 0)


class JobMemory:
    """The context of one job.

    Lifetime: hosted from construction to :meth:`close`.

    Parameters
    ----------
    name
        Of the context, by which other programs of this user can look into it.
    pipeline
        Its typed outputs are declared at once, each with its operator as the only producer.
    """

    def __init__(self, name: str, pipeline: Pipeline) -> None:
        from clara_fastio import create_context

        self.name = name
        self._context: Context = create_context(name)
        self._freed: dict[str, Passed] = {}
        self._streams: dict[str, JobStream] = {}
        # Operators that are not complete; a producer may outlive all who take its frames.
        self._users: dict[str, set[str]] = {}
        taken = {source_variable(each) for one in pipeline.operators for each in one.inputs}
        try:
            for operator in pipeline.operators:
                for output in typed_outputs(operator):
                    self._declare(operator, output, taken)
            for operator in pipeline.operators:
                for entry in typed_inputs(operator):
                    self._users[source_variable(entry)].add(operator.name)
                    if entry.edge is not None:
                        self._streams[source_variable(entry)].reserve(operator.name, entry.edge)
        except BaseException:
            self.close()
            raise

    def _declare(self, operator: Operator, output: Output, taken: set[str]) -> None:
        name = variable_name(operator.name, output.name or "")
        shape = tuple(None if size < 0 else size for size in output.shape)
        queue = output.queue
        if queue is not None and name not in taken and queue.policy == Policy.BLOCK:
            # Nobody will come, for whom the first frame would wait.
            queue = dataclasses.replace(queue, policy=Policy.DROP_OLDEST)
        variable = self._context.declare(
            name,
            shape,
            str(output.element_type),
            producer=operator.name,
            queue=queue,
            **_placed(output.placement),
        )
        self._users[name] = {operator.name}
        if queue is not None:
            self._streams[name] = JobStream(operator, output, variable)

    def connect(self, role: str) -> int:
        """Make a connection for one operator.

        Returns
        -------
        int
            A descriptor to be inherited; close it here after the child has it.
        """
        return self._context.connection(role)

    def adopt(self, connection: socket, role: str) -> None:
        """Serve one operator that has connected to a socket of the runner's; takes the socket."""
        with connection:
            self._context.adopt(connection.fileno(), role)
            connection.detach()

    def unwritten(self, operator: Operator) -> list[str]:
        """Say which typed outputs an operator has not written, or not finished."""
        missing = []
        for output in typed_outputs(operator):
            name = variable_name(operator.name, output.name or "")
            if name in self._streams:
                if not self._streams[name].is_finished:
                    missing.append(f"{output.name!r} to the end of its stream")
            elif self.passed(name).versions == 0:
                missing.append(repr(output.name))
        return missing

    def finished(self, operator: Operator) -> None:
        """Free what only this operator, which has completed, still needed."""
        self.ended(operator)
        names = {source_variable(entry) for entry in typed_inputs(operator)}
        names |= {
            variable_name(operator.name, entry.name or "") for entry in typed_outputs(operator)
        }
        self.look()
        for name in names:
            self._users[name].discard(operator.name)
            if not self._users[name] and name not in self._freed:
                self._freed[name] = self.passed(name)
                self._context[name].free()

    def ended(self, operator: Operator) -> None:
        """Let nobody wait for an operator to take frames that has ended without doing so."""
        for entry in operator.inputs:
            if entry.edge is not None:
                self._streams[source_variable(entry)].release(operator.name)

    def look(self, operators: Mapping[int, str] | None = None) -> None:
        """Read the counters of all streams; `operators` are known by their process ids."""
        if self._streams:
            roles = {each.pid: each.role for each in self._context.processes() if each.role}
            for stream in self._streams.values():
                stream.look(roles | dict(operators or {}))

    def streams(self, *, is_over: bool) -> tuple[StreamReport, ...]:
        """Say what went through each stream, as it was seen last."""
        return tuple(stream.report(is_over=is_over) for stream in self._streams.values())

    @property
    def has_streams(self) -> bool:
        """Whether anything is handed over frame by frame."""
        return bool(self._streams)

    def frames(self, operator: str, entry: Input) -> Passed:
        """Count the frames that an operator took, each as large as its slot."""
        stream = self._streams[source_variable(entry)]
        count = stream.taken_by(operator, entry.edge.name if entry.edge else "")
        return Passed(stream.report(is_over=False).slot_nbytes, count)

    def passed(self, variable: str) -> Passed:
        """Count what a variable has carried so far."""
        if variable in self._freed:
            return self._freed[variable]
        from clara_fastio import Variable

        try:
            found = self._context[variable]
            if isinstance(found, Variable) and found.version:
                return Passed(found.nbytes, found.version)
        except (NotFoundError, FreedError):  # An operator has freed it for everybody.
            pass
        return _NOTHING

    def used(self) -> int:
        """Add up the bytes that the context's entries hold now."""
        entries = self._context.entries()
        return sum(entry.capacity for entry in entries if entry.memory == MemoryKind.HOST)

    def close(self) -> None:
        """End the context; twice is fine."""
        self._context.close()


def _placed(placement: Placement) -> dict[str, Any]:
    """Say to the context where a variable lies; nothing about ordinary memory.

    The number of a device means something to the producer alone, which has it in its environment.
    """
    if placement == Placement():
        return {}
    device = placement.device if isinstance(placement.device, str) else None
    return dataclasses.asdict(placement) | {"device": device}


def typed_inputs(operator: Operator) -> list[Input]:
    """List the inputs that lie in shared memory."""
    return [entry for entry in operator.inputs if entry.is_typed_memory]


def typed_outputs(operator: Operator) -> list[Output]:
    """List the outputs that lie in shared memory."""
    return [entry for entry in operator.outputs if entry.is_typed_memory]


def variable_name(operator: str, output: str) -> str:
    """Name the variable of an output in the job's context."""
    return f"{operator}/{output}"


def source_variable(entry: Input) -> str:
    """Name the variable that an input reads."""
    return variable_name(entry.source or "", entry.output or "")
