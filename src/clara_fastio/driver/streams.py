# SPDX-License-Identifier: Apache-2.0
"""Inputs and outputs of an operator that are handed over frame by frame."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

from clara_fastio.errors import AlreadyExistsError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

    from clara_fastio._core import Frame, FrameMaker, Frames, OpenFrame, Variable
    from clara_fastio.driver.job_memory import JobMemory
    from clara_fastio.driver.scope import Scope
    from clara_fastio.driver.settings import Declaration, Edge
    from clara_fastio.streams import StreamInfo
    from clara_fastio.types import ElementType


class _Stream:
    def __init__(self, declaration: Declaration, memory: JobMemory, scope: Scope) -> None:
        self._declaration = declaration
        self._memory = memory
        self._scope = scope

    @property
    def name(self) -> str:
        """The name in the pipeline definition."""
        return self._declaration.name

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The dimensions of a frame, None where each frame has its own."""
        return tuple(None if size < 0 else size for size in self._declaration.shape)

    @property
    def element_type(self) -> ElementType:
        """What one element is."""
        return self._variable.element_type

    @property
    def stream(self) -> StreamInfo:
        """The counters of the stream and of all its edges now."""
        return self._variable.stream

    @property
    def _variable(self) -> Variable:
        self._scope.check(f"the stream {self.name!r}")
        return self._memory.variable(self._declaration)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}, {self._declaration.element_type}>"


class OutputStream(_Stream):
    """An output that is made frame by frame; from ``payload.outputs``.

    The driver finishes it when the execute handler has succeeded.
    """

    def next(
        self,
        *,
        timeout: float | None = None,
        shape: Sequence[int] | None = None,
        number: int | None = None,
        header: Buffer | None = None,
        stream: Any = None,
    ) -> OpenFrame:
        """Open the next frame; see :meth:`Variable.next`.

        Parameters
        ----------
        timeout
            Seconds to wait for a free slot; 0 does not wait, None waits for ever.
        shape
            Of this frame, where dimensions are dynamic.
        number
            Of this frame, above those before; by default one more than the last, from 0.
        header
            At most 64 bytes that travel with it.
        stream
            The CUDA stream on which a frame on a device is made; None is cupy's current one.

        Returns
        -------
        OpenFrame
            A context manager that gives the array to fill.
        """
        return self._variable.next(
            timeout=timeout, shape=shape, number=number, header=header, stream=stream
        )

    def frames(self, count: float | None = None, *, timeout: float | None = None) -> FrameMaker:
        """Make frames in a loop.

        Parameters
        ----------
        count
            How many; None for a loop without end.
        timeout
            Seconds that each step of the loop waits at most; None waits for ever.

        Returns
        -------
        FrameMaker
            An iterator that gives the array of one frame after the other.
        """
        return self._variable.frames(math.inf if count is None else count, timeout=timeout)

    def finish(self) -> None:
        """End the stream now; finishing twice is fine."""
        self._variable.finish()

    def end(self, *, succeeded: bool) -> None:
        """End it with the handler; one that failed leaves it unfinished, which consumers notice.

        Parameters
        ----------
        succeeded
            How the handler ended.
        """
        if succeeded:
            self._variable.finish()


class InputStream(_Stream):
    """An input that is taken frame by frame; from ``payload.inputs``.

    Frames wait for it from the start of the job, as the policy of the pipeline says.
    """

    def __init__(
        self, declaration: Declaration, edge: Edge, memory: JobMemory, scope: Scope
    ) -> None:
        super().__init__(declaration, memory, scope)
        self._edge = edge
        self._places: list[tuple[Frames, float | None]] = []

    @property
    def policy(self) -> str:
        """What happens to a frame while this operator is not there yet."""
        return self._edge.policy

    def frames(self, *, timeout: float | None = None) -> Frames:
        """Take the frames in order, until the producer finishes.

        Parameters
        ----------
        timeout
            Seconds that each step of the loop waits at most; None waits for ever.

        Returns
        -------
        Frames
            An iterator, for ``for`` and ``async for``. While it is open, later calls give the same
            one; a member of a group gets another one, so that several threads can share.

        Raises
        ------
        AlreadyExistsError
            It is open with another time-out.
        """
        variable = self._variable
        if not self._edge.is_shared and (frames := self._open_place()):
            if frames[1] != timeout:
                raise AlreadyExistsError(
                    f"the frames of the input {self.name!r} are being taken with a timeout of "
                    f"{frames[1]}; go on with those, or close them first"
                )
            return frames[0]
        edge = self._edge
        place = variable.frames(
            name=None if edge.is_shared else edge.name,
            share=edge.name if edge.is_shared else None,
            policy=edge.policy,
            deadline=edge.deadline,
            timeout=timeout,
        )
        self._places.append((place, timeout))
        return place

    def next(self, *, timeout: float | None = None) -> Frame | None:
        """Take the next frame.

        Parameters
        ----------
        timeout
            Seconds to wait for it; 0 does not wait, None waits for ever.

        Returns
        -------
        Frame or None
            None at the end of the stream. The frame before is given back, unless arrays of it
            are alive.
        """
        self._scope.check(f"the stream {self.name!r}")
        # At the end of the stream its place closes by itself; another one would wait for nothing.
        if not self._places:
            self.frames()
        place = self._places[-1][0]
        return None if place.closed else place.next(timeout=timeout)

    def end(self) -> None:
        """Take no more frames; who never came is not waited for any longer."""
        for place, _ in self._places:
            place.close()
        if not self._places:
            # Alone, nobody feeds it.
            with contextlib.suppress(NotFoundError):
                self._variable.unreserve(self._edge.name, role=self._memory.open().role)

    def _open_place(self) -> tuple[Frames, float | None] | None:
        return next((place for place in self._places if not place[0].closed), None)
