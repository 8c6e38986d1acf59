# SPDX-License-Identifier: Apache-2.0
"""What the environment of an operator says about its job."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import os
import uuid
from typing import TYPE_CHECKING, Any

from clara_fastio.errors import DriverError
from clara_fastio.streams import Queue

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The variable that says where the control channel is.
CONTROL_VARIABLE = "CLARA_FASTIO_CONTROL"
_SOCKET_VARIABLE = "CLARA_FASTIO_SOCKET"
_DEFAULT_GRACE = 15.0
_NO_LIMIT = dt.timedelta.max
_NO_JOB = uuid.UUID(int=0)


@dataclasses.dataclass(frozen=True, slots=True)
class Edge:
    """How the frames of a stream come to an input."""

    name: str
    """Of the edge, or of the group."""
    policy: str
    is_shared: bool
    deadline: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Placement:
    """Where the data of an output lies."""

    memory: str
    """`host` or `device`."""
    device: int | str | None
    """Its number in this process, or its UUID; None is the first."""
    fallback: str | None
    pinned: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Declaration:
    """A typed entry as the pipeline declares it."""

    name: str
    """The name the operator uses."""
    variable: str
    """The name in the context of the job."""
    element_type: str
    shape: tuple[int, ...]
    """With -1 for each dynamic dimension."""
    queue: Queue | None = None
    """Of an output that is handed over frame by frame."""
    placement: Placement | None = None
    """Of an output that does not lie in ordinary memory of the host."""
    edge: Edge | None = None
    """Of an input that is taken frame by frame."""

    @property
    def is_stream(self) -> bool:
        """Whether it is handed over frame by frame."""
        return self.queue is not None or self.edge is not None


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """All that a driver knows about its job, read once."""

    input_paths: tuple[tuple[str, str], ...] = ()
    """Name and path of each disk input; at most one name is empty."""
    output_paths: tuple[tuple[str, str], ...] = ()
    inputs: tuple[Declaration, ...] = ()
    outputs: tuple[Declaration, ...] = ()
    job_id: uuid.UUID = _NO_JOB
    """All zero outside a job."""
    job_name: str = ""
    stage_name: str = ""
    stage_timeout: dt.timedelta = _NO_LIMIT
    """The largest timedelta where there is no limit."""
    control: str = ""
    """Where the control channel is: `fd:N` or `path:FILE`; empty when the driver runs alone."""
    has_socket: bool = False
    """Whether somebody else hosts the context."""
    trace: int = 0
    """0 is quiet, 1 tells of phases, 2 of everything."""
    grace: float = _DEFAULT_GRACE
    """Seconds this process may still live after its runner is gone."""

    @property
    def has_typed_entries(self) -> bool:
        """Whether any entry lies in shared memory."""
        return bool(self.inputs or self.outputs)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the variables that a runner sets.

        Parameters
        ----------
        environment
            Where to read; the environment of this process by default.

        Returns
        -------
        Settings
            Variables that are missing or empty leave their default.

        Raises
        ------
        DriverError
            A variable holds something that cannot be understood; the message names it.
        """
        found = os.environ if environment is None else environment
        readers = {
            "input_paths": ("NVIDIA_CLARA_INPUTPATHS", _paths),
            "output_paths": ("NVIDIA_CLARA_OUTPUTPATHS", _paths),
            "inputs": ("CLARA_FASTIO_INPUTS", _declarations),
            "outputs": ("CLARA_FASTIO_OUTPUTS", _declarations),
            "job_id": ("NVIDIA_CLARA_JOBID", uuid.UUID),
            "job_name": ("NVIDIA_CLARA_JOBNAME", str),
            "stage_name": ("NVIDIA_CLARA_STAGENAME", str),
            "stage_timeout": ("NVIDIA_CLARA_STAGETIMEOUT", _time_limit),
            "control": (CONTROL_VARIABLE, _place),
            "has_socket": (_SOCKET_VARIABLE, bool),
            "trace": ("CLARA_TRACE", int),
            "grace": ("CLARA_FASTIO_GRACE", _seconds),
        }
        values: dict[str, Any] = {}
        for field, (variable, read) in readers.items():
            if text := found.get(variable, "").strip():
                values[field] = _read(variable, text, read)
        if found.get("NVIDIA_CLARA_NOSYNCLOCK", "").strip().upper() in {"1", "TRUE"}:
            values.pop("control", None)
        return cls(**values)


def _read(variable: str, text: str, read: Any) -> Any:
    try:
        return read(text)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise DriverError(f"{variable} is {text!r}, which cannot be understood: {error}") from error


def _paths(text: str) -> tuple[tuple[str, str], ...]:
    entries = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, colon, path = part.partition(":")
        if not colon or not path:
            raise ValueError(
                f"{part!r} is not of the form name:path (an entry without name is :path)"
            )
        entries.append((name, path))
    if sum(not name for name, _ in entries) > 1:
        raise ValueError("more than one entry has no name")
    return tuple(entries)


def _declarations(text: str) -> tuple[Declaration, ...]:
    return tuple(
        Declaration(
            name=_text(item["name"]),
            variable=_text(item["variable"]),
            element_type=_text(item["element_type"]),
            shape=tuple(_dimension(size) for size in item["shape"]),
            queue=Queue(**item["queue"]) if item.get("queue") else None,
            placement=Placement(**item["placement"]) if item.get("placement") else None,
            edge=Edge(**item["edge"]) if item.get("edge") else None,
        )
        for item in json.loads(text)
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _dimension(size: Any) -> int:
    return -1 if size is None or int(size) <= 0 else int(size)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError("a number of seconds is wanted")
    return seconds


def _time_limit(text: str) -> dt.timedelta:
    return dt.timedelta(seconds=_seconds(text))


def _place(text: str) -> str:
    kind, _, place = text.partition(":")
    if (kind == "fd" and place.isdecimal()) or (kind == "path" and place):
        return text
    raise ValueError("fd:<number of a descriptor> or path:<file of a socket> is wanted")
