# SPDX-License-Identifier: Apache-2.0
"""All streams of one execution, to be ended together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from clara_fastio.driver.streams import InputStream, OutputStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from clara_fastio.driver.job_memory import JobMemory
    from clara_fastio.driver.scope import Scope
    from clara_fastio.driver.settings import Declaration, Settings


class Streams:
    """The inputs and outputs that are handed over frame by frame.

    Parameters
    ----------
    settings
        Which there are.
    memory
        Where their variables are found.
    scope
        How long they may be used.
    """

    def __init__(self, settings: Settings, memory: JobMemory, scope: Scope) -> None:
        self._inputs = {
            id(entry): InputStream(entry, entry.edge, memory, scope)
            for entry in settings.inputs
            if entry.edge is not None
        }
        self._outputs = {
            id(entry): OutputStream(entry, memory, scope)
            for entry in settings.outputs
            if entry.queue is not None
        }

    def __getitem__(self, declaration: Declaration) -> InputStream | OutputStream:
        """Find the stream of a declaration."""
        key = id(declaration)
        return self._inputs[key] if key in self._inputs else self._outputs[key]

    def end(self, *, succeeded: bool) -> None:
        """End all of them, and raise the first error afterwards.

        Parameters
        ----------
        succeeded
            Whether outputs are finished; else they are left, which consumers notice.
        """
        errors: list[Exception] = []
        for stream in self._inputs.values():
            _try(stream.end, errors)
        for output in self._outputs.values():
            _try(partial(output.end, succeeded=succeeded), errors)
        if errors:
            raise errors[0]


def _try(action: Callable[[], None], errors: list[Exception]) -> None:
    try:
        action()
    except Exception as error:  # noqa: BLE001 - the others have to be ended all the same.
        errors.append(error)
