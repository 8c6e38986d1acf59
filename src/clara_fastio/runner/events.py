# SPDX-License-Identifier: Apache-2.0
"""What a runner tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clara_fastio.runner.result import OperatorState


@dataclass(frozen=True)
class LogLine:
    """One line of an operator's output, without its line end."""

    operator: str
    text: str


@dataclass(frozen=True)
class StateChanged:
    """An operator entered another state; `seconds` since the start of the job."""

    operator: str
    state: OperatorState
    seconds: float


@dataclass(frozen=True)
class Note:
    """The runner's own remark; `operator` is empty when it is about the whole job."""

    text: str
    operator: str = ""


Event = LogLine | StateChanged | Note

#: Called on the runner's loop for each event; it must not block.
Observer = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """Observe nothing."""
