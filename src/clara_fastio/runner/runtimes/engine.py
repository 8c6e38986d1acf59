# SPDX-License-Identifier: Apache-2.0
"""The command lines of a container engine; podman's and docker's are alike but for little."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

JOB_LABEL = "clara-fastio.job"
OWNER_LABEL = "clara-fastio.owner"

_MEGABYTE = 1_000_000
#: What the client or its helpers read themselves: given by value, not by way of their environment.
_READ_BY_CLIENT = re.compile(
    r"(?i)(PATH|HOME|USER|LOGNAME|SHELL|TERM|TMPDIR|TZ|LANG|NO_COLOR|NOTIFY_\w*|LISTEN_\w*|.*_PROXY)$"
    r"|(BUILDAH|CONMON|CONTAINERS?|DBUS|DOCKER|GO|LC|LD|NVIDIA_V|OTEL|PODMAN|REGISTRY|SSH|SSL|STORAGE"
    r"|SYSTEMD|XDG|_)"
)


@dataclass(frozen=True)
class Mount:
    """A folder of the machine, and where the container sees it."""

    source: str
    target: str
    is_read_only: bool

    def option(self) -> str:
        """Write it as the value of ``--mount``, whose fields may hold commas if quoted."""
        fields = ["type=bind", f"source={self.source}", f"target={self.target}"]
        if self.is_read_only:
            fields.append("readonly")
        return ",".join(map(_quoted, fields))


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container to be run.

    Parameters
    ----------
    name
        By which it can be removed.
    labels
        By which it can be found.
    image
        That is on this machine.
    entry_point
        In place of the image's own; empty leaves that.
    arguments
        Of the entry point.
    environment
        Variables.
    mounts
        Folders.
    cpu, memory
        Cores and megabytes that it may use.
    devices
        GPUs, by the names that the engine knows.
    """

    name: str
    labels: Mapping[str, str]
    image: str
    entry_point: str = ""
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    cpu: int
    memory: int
    devices: Sequence[str] = ()

    @property
    def client_environment(self) -> dict[str, str]:
        """The variables that the client passes on from its own environment."""
        return {
            name: value
            for name, value in self.environment.items()
            if not _READ_BY_CLIENT.match(name)
        }


class Engine(ABC):
    """Writes the command lines of one engine."""

    #: The client.
    program: str

    def __init__(self) -> None:
        #: Whether the engine runs without privileges, so that its root is this user.
        self.is_rootless = False

    @abstractmethod
    def about(self) -> list[str]:
        """Give the command that says ``true`` or ``false``: whether it is rootless."""

    @abstractmethod
    def remove(self, *containers: str) -> list[str]:
        """Give the command that kills and removes containers."""

    @abstractmethod
    def device_options(self, devices: Sequence[str]) -> list[str]:
        """Give the options for GPUs."""

    def version(self) -> list[str]:
        """Give the command that fails if the engine, and not its client alone, does not answer."""
        return [self.program, "version"]

    def find(self, label: str) -> list[str]:
        """Give the command that prints the ids of all containers with a label, a line each."""
        return [self.program, "ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={label}"]

    def owners(self, containers: Iterable[str]) -> list[str]:
        """Give the command that prints containers' owners, a line each, in their order."""
        form = f'{{{{index .Config.Labels "{OWNER_LABEL}"}}}}'
        return [self.program, "container", "inspect", "--format", form, *containers]

    def images(self, names: Iterable[str]) -> list[str]:
        """Give the command that fails if an image is not on this machine."""
        return [self.program, "image", "inspect", "--format", "{{.Id}}", *names]

    def run(self, container: Container) -> list[str]:
        """Give the command that runs a container and stays until its end.

        The user of the container is the one of this process: files belong to that user, and the
        shared memory's check of users holds on both sides.
        """
        options = [
            f"--name={container.name}",
            *(f"--label={name}={value}" for name, value in container.labels.items()),
            *("--rm", "--init", "--pull=never", "--log-driver=none"),
            *("--userns=host", f"--user={self._user()}"),
            *("--cap-drop=all", "--security-opt=no-new-privileges", "--security-opt=label=disable"),
            *(f"--mount={mount.option()}" for mount in container.mounts),
            *self._limits(container),
            *self.device_options(container.devices),
            *self._environment(container),
        ]
        if container.entry_point:
            options.append(f"--entrypoint={container.entry_point}")
        return [self.program, "run", *options, container.image, *container.arguments]

    def _user(self) -> str:
        return "0:0" if self.is_rootless else f"{os.geteuid()}:{os.getegid()}"

    def _limits(self, container: Container) -> list[str]:
        cores = min(container.cpu, os.cpu_count() or 1)
        limits = [f"--cpus={cores}"] if cores else []
        if container.memory:
            limits.append(f"--memory={container.memory * _MEGABYTE}b")
        return limits

    def _environment(self, container: Container) -> list[str]:
        """Pass variables by name, so that other users of the machine do not see their values."""
        passed = container.client_environment
        return [
            f"--env={name}" if name in passed else f"--env={name}={value}"
            for name, value in container.environment.items()
        ]


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if {",", '"', "\n"} & set(text) else text
