# SPDX-License-Identifier: Apache-2.0
"""What is shown while a job runs, where it is not drawn: lines for people or for programs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Self

from clara_fastio.cli.output import print_json_line
from clara_fastio.runner.events import LogLine, Note, StateChanged

if TYPE_CHECKING:
    from clara_fastio.runner import Event, Runner


class View:
    """Shows nothing."""

    def __enter__(self) -> Self:
        """Begin to show."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End it."""

    def observe(self, event: Event) -> None:
        """Take one event."""

    async def watch(self, runner: Runner) -> None:
        """Look at the job now and then, until cancelled."""


class LineView(View):
    """Prints a line for each event, until nobody reads them any more."""

    def __init__(self) -> None:
        self._is_read = True

    def observe(self, event: Event) -> None:
        """Print the event."""
        if self._is_read:
            try:
                self.print(event)
            except BrokenPipeError:  # The job goes on; its result tells the rest.
                self._is_read = False

    def print(self, event: Event) -> None:
        """Print the event as people read it."""
        print(describe(event), flush=True)


class JsonView(LineView):
    """Prints a JSON object for each event."""

    def print(self, event: Event) -> None:
        """Print the event as programs read it."""
        print_json_line(to_json(event))


def describe(event: Event) -> str:
    """Give an event as one line for people."""
    if isinstance(event, LogLine):
        return f"[{event.operator}] {event.text}"
    if isinstance(event, Note):
        return f"{event.operator or 'clara'}: {event.text}"
    return f"{event.operator}: {event.state.value} at {event.seconds:.2f} s"


def to_json(event: Event) -> dict[str, Any]:
    """Give an event as one line for programs."""
    kinds = {LogLine: "log", Note: "note", StateChanged: "state"}
    return {"kind": kinds[type(event)], **dataclasses.asdict(event)}
