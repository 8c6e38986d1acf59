# SPDX-License-Identifier: Apache-2.0
"""The context that an operator's shared memory is in, opened when it is first needed."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING

from clara_fastio.errors import NotFoundError
from clara_fastio.streams import Policy

if TYPE_CHECKING:
    from clara_fastio._core import Allocation, Context, Variable
    from clara_fastio.driver.settings import Declaration, Settings


class JobMemory:
    """Opens the job's context; alone, hosts one of its own in place of the runner.

    Thread safety: all methods.

    Parameters
    ----------
    settings
        Whether there is a job, and which entries a lone driver declares itself.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._context: Context | None = None

    def open(self) -> Context:
        """Open or create the context; later calls give the same one.

        Returns
        -------
        Context
            Open until :meth:`close`.

        Raises
        ------
        FastIOError
            Whatever keeps the context from opening.
        """
        with self._lock:
            if self._context is None:
                self._context = self._join() if self._settings.has_socket else self._host()
            return self._context

    def variable(self, declaration: Declaration) -> Variable:
        """Find the variable of a typed entry.

        Parameters
        ----------
        declaration
            The entry.

        Returns
        -------
        Variable
            Opened in the job's context.

        Raises
        ------
        NotFoundError
            Nobody declared it. Alone, that holds for every input.
        """
        try:
            found: Variable | Allocation = self.open()[declaration.variable]
        except NotFoundError as error:
            raise NotFoundError(
                f"entry {declaration.name!r}: the context has no variable "
                f"{declaration.variable!r}; outside a job nobody feeds typed inputs"
            ) from error
        return found  # type: ignore[return-value]  # What is declared is a variable.

    def close(self) -> None:
        """Leave the context; arrays that live stay valid."""
        with self._lock:
            if self._context is not None:
                self._context.close()
                self._context = None

    @staticmethod
    def _join() -> Context:
        # Late, so that an operator that works on disk does not need the compiled core.
        from clara_fastio._core import open_context

        return open_context()

    def _host(self) -> Context:
        from clara_fastio._core import create_context

        context = create_context()
        for output in self._settings.outputs:
            shape = tuple(None if size < 0 else size for size in output.shape)
            queue = output.queue
            if queue is not None and queue.policy == Policy.BLOCK:
                # Nobody will come, for whom the first frame would wait.
                queue = dataclasses.replace(queue, policy=Policy.DROP_OLDEST)
            placed = dataclasses.asdict(output.placement) if output.placement else {}
            context.variable(
                output.variable, shape=shape, dtype=output.element_type, queue=queue, **placed
            )
        return context
