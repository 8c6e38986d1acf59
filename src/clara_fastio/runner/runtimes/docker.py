# SPDX-License-Identifier: Apache-2.0
"""docker: containers belong to its daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clara_fastio.runner.runtimes.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Sequence


class Docker(Engine):
    """Writes the command lines of docker."""

    program = "docker"

    def about(self) -> list[str]:
        """Give the command that says whether the daemon is rootless."""
        form = '{{$found := false}}{{range .SecurityOptions}}{{if eq . "name=rootless"}}'
        form += "{{$found = true}}{{end}}{{end}}{{$found}}"
        return [self.program, "info", "--format", form]

    def remove(self, *containers: str) -> list[str]:
        """Give the command that kills and removes containers."""
        return [self.program, "rm", "--force", *containers]

    def device_options(self, devices: Sequence[str]) -> list[str]:
        """Name GPUs in one option, quoted so that it takes the commas for its own."""
        return [f'--gpus="device={",".join(devices)}"'] if devices else []
