# SPDX-License-Identifier: Apache-2.0
"""Which GPUs an operator gets."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_GPUS = Path("/proc/driver/nvidia/gpus")


class Devices:
    """The GPUs that a job may use, handed out in turns.

    Operators share them when they request more than there are.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._next = 0

    def take(self, count: int) -> list[str]:
        """Name as many devices as an operator requests.

        Raises
        ------
        PipelineError
            There are not so many.
        """
        if count > len(self._names):
            raise PipelineError(
                f"the operator requests {count} GPUs, and {len(self._names)} can be used here"
            )
        names = [self._names[(self._next + index) % len(self._names)] for index in range(count)]
        self._next += count
        return names


def device_names(environment: Mapping[str, str], gpus: Path = _GPUS) -> list[str]:
    """Name the GPUs of ``CUDA_VISIBLE_DEVICES`` or, without that variable, all of the machine."""
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [str(index) for index in range(_count(gpus))]
    return parse_devices(visible)


def parse_devices(text: str) -> list[str]:
    """Read names that are separated by commas; a negative number ends them, as it does for CUDA."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    return list(takewhile(lambda name: not name.startswith("-"), names))


def _count(folder: Path) -> int:
    return len(list(folder.iterdir())) if folder.is_dir() else 0
