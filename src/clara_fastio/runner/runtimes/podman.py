# SPDX-License-Identifier: Apache-2.0
"""podman: no daemon, and rootless for everybody but root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clara_fastio.runner.runtimes.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Sequence


class Podman(Engine):
    """Writes the command lines of podman."""

    program = "podman"

    def about(self) -> list[str]:
        """Give the command that says whether it is rootless."""
        return [self.program, "info", "--format", "{{.Host.Security.Rootless}}"]

    def remove(self, *containers: str) -> list[str]:
        """Give the command that kills and removes containers, without waiting for their end."""
        return [self.program, "rm", "--force", "--ignore", "--time=0", *containers]

    def device_options(self, devices: Sequence[str]) -> list[str]:
        """Name GPUs as their vendor's specification for containers (CDI) does."""
        return [f"--device=nvidia.com/gpu={device}" for device in devices]
