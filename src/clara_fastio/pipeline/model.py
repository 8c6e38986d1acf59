# SPDX-License-Identifier: Apache-2.0
"""A pipeline that was checked and resolved: what the runner runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clara_fastio.pipeline.problems import Problem
    from clara_fastio.streams import Queue

STREAM = "stream"
ARRAY = "array"
STRING = "string"
DYNAMIC = -1

HOST = "host"
DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Requests:
    """What an operator or service needs: logical cores, devices, and megabytes of memory."""

    cpu: int
    gpu: int
    memory: int


@dataclass(frozen=True, slots=True)
class DataType:
    """The type of an entry, in canonical names.

    Attributes
    ----------
    type
        ``stream``, ``array``, ``string`` or the name of a primitive.
    element_type
        Of a stream any label; else the name of a primitive.
    shape
        Dimensions, -1 where dynamic; a primitive has ``(1,)``, a string ``(-1,)``, a stream none.
    """

    type: str
    element_type: str
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the data of an entry in shared memory lies.

    Attributes
    ----------
    memory
        ``host`` or ``device``.
    device
        Which one: its number among those that the producer sees, or its UUID; None is the first.
    fallback
        ``host`` where a copy may stand in for device memory that cannot be shared.
    pinned
        Whether processes that use a device register host memory with it.
    """

    memory: str = HOST
    device: int | str | None = None
    fallback: str | None = None
    pinned: bool = False


_ORDINARY = Placement()


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str | None = None
    path: str | None = None
    data_type: DataType | None = None
    placement: Placement = _ORDINARY

    @property
    def type(self) -> str | None:
        """``stream``, ``array``, ``string``, a primitive, or None when the entry is untyped."""
        return self.data_type.type if self.data_type else None

    @property
    def element_type(self) -> str | None:
        """The canonical name of the elements' type, a stream's label, or None when untyped."""
        return self.data_type.element_type if self.data_type else None

    @property
    def shape(self) -> tuple[int, ...]:
        """Dimensions, -1 where dynamic; empty for what lies on disk."""
        return self.data_type.shape if self.data_type else ()

    @property
    def is_typed_memory(self) -> bool:
        """Whether the entry lies in shared memory, not on disk."""
        return self.data_type is not None and self.data_type.type != STREAM

    @property
    def memory(self) -> str:
        """Where shared memory lies: ``host`` or ``device``."""
        return self.placement.memory


@dataclass(frozen=True, slots=True)
class Edge:
    """How the frames of a stream come to an input.

    Attributes
    ----------
    name
        In the counters of the stream: ``operator/input``, or that of the group.
    policy
        What happens to a frame while the consumer is not there: its own, or the queue's.
    share
        The group whose members get a frame in turn; None for an input that gets each one.
    deadline
        Seconds after which a frame counts as late; None when there is none.
    """

    name: str
    policy: str
    share: str | None = None
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Input(_Entry):
    """What an operator reads.

    Attributes
    ----------
    name
        As the definition writes it.
    source
        The operator it comes from; None is the payload of the job.
    output
        Which output of that operator; None is all of it.
    path
        Where files are found; None for shared memory.
    placement
        That of its output.
    edge
        How frames come; None when the output has no queue.
    """

    source: str | None = None
    output: str | None = None
    edge: Edge | None = None


@dataclass(frozen=True, slots=True)
class Output(_Entry):
    """What an operator writes.

    Attributes
    ----------
    name
        None for the only output of an operator of an untyped pipeline.
    path
        Where files are to be written; None for shared memory.
    placement
        Where shared memory lies.
    queue
        What the array is handed over by, frame by frame; None when it is written as a whole.
    """

    queue: Queue | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """How operators reach a service: ``http`` (with a port or none) or ``volume`` (a path)."""

    kind: str
    name: str
    port: int | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A program that operators expect to be running."""

    name: str
    description: str
    image: str
    command: tuple[str, ...]
    variables: dict[str, str]
    connections: tuple[Connection, ...]
    requests: Requests


@dataclass(frozen=True, slots=True)
class Operator:
    """One program of a pipeline.

    Attributes
    ----------
    image
        Name and tag.
    upstream
        Names of the operators that it has inputs from, or has to come after.
    after
        Those of them that only the order asks for.
    awaited
        Those of them that must be complete before this one executes: all but those that it
        takes only frames from.
    driver
        Whether the program reports its phases; None when the definition does not say.
    timeout
        Seconds; None when the definition does not say.
    """

    name: str
    image: str
    requests: Requests
    description: str = ""
    command: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    services: tuple[Service, ...] = ()
    models: tuple[str, ...] = ()
    driver: bool | None = None
    after: tuple[str, ...] = ()
    timeout: float | None = None
    upstream: frozenset[str] = frozenset()
    awaited: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A definition with all its files, arguments and defaults put together.

    Attributes
    ----------
    operators
        Each after everything upstream of it; otherwise in the order of the definition.
    parameters
        The arguments and, where there were none, the defaults.
    timeout
        Seconds; None when the definition does not say.
    warnings
        What is odd about the definition.
    """

    name: str
    api_version: str
    operators: tuple[Operator, ...]
    description: str = ""
    timeout: float | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    pull_secrets: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()
