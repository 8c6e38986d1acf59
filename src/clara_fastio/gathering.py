# SPDX-License-Identifier: Apache-2.0
"""Streams that several workers made, brought back into one order."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from clara_fastio.errors import LockTimeoutError, PeerDiedError

if TYPE_CHECKING:
    from clara_fastio._core import Frame, Frames

__all__ = ["Gather", "gather"]

#: Seconds to sleep for one stream while another may be faster, and while none can.
_GLANCE = 0.001
_SLICE = 0.1


def gather(*streams: Frames, patience: float | None = None, timeout: float | None = None) -> Gather:
    """Merge streams whose numbers grow into one whose numbers grow.

    The workers of a group pass the number of the frame that they read to the frame that they make
    (``output.next(number=frame.number)``); this brings the frames back into the order of their
    source.

    Parameters
    ----------
    streams
        What ``frames()`` gave, one for each worker. They belong to the result afterwards.
    patience
        Seconds to wait for a number that is due while later ones are there; then it counts as
        missing. None waits until every stream has shown that it will not come.
    timeout
        Seconds that each step of the loop waits at most; None waits for ever.

    Returns
    -------
    Gather
        An iterator over frames. What is missing is counted, never made up.

    Raises
    ------
    ValueError
        There is no stream to gather.
    """
    return Gather(streams, patience, timeout)


class Gather:
    """The frames of several streams in the order of their numbers; see :func:`gather`."""

    def __init__(
        self, streams: tuple[Frames, ...], patience: float | None, timeout: float | None
    ) -> None:
        if not streams:
            raise ValueError("gather needs at least one stream; found none")
        self._streams = list(streams)
        self._patience = patience
        self._timeout = timeout
        self._heads: dict[Frames, Frame] = {}
        self._live = list(streams)
        self._expected = 0
        self._death: PeerDiedError | None = None
        #: Numbers that never came, up to the frame that came last.
        self.missing = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Frame:
        start = time.monotonic()
        while True:
            self._look()
            if not self._heads and not self._live:
                if self._death is not None:
                    raise self._death
                raise StopIteration
            if (found := self._due(time.monotonic() - start)) is not None:
                frame = self._heads.pop(found)
                self.missing += max(0, frame.number - self._expected)
                self._expected = max(self._expected, frame.number + 1)
                return frame
            self._sleep(start)

    def close(self) -> None:
        """Take no more frames of any stream."""
        self._heads.clear()
        for stream in self._streams:
            stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _lacking(self) -> list[Frames]:
        return [stream for stream in self._live if stream not in self._heads]

    def _look(self) -> None:
        for stream in self._lacking():
            try:
                frame = stream._poll()  # noqa: SLF001 - the core's face for waits
            except StopAsyncIteration:
                self._live.remove(stream)
            except PeerDiedError as error:
                # The others go on; the death is told when there is nothing else to tell.
                self._live.remove(stream)
                self._death = error
            else:
                if frame is not None:
                    self._heads[stream] = frame

    def _due(self, waited: float) -> Frames | None:
        """Give the stream whose frame comes next, if that is known."""
        if not self._heads:
            return None
        first = min(self._heads, key=lambda stream: self._heads[stream].number)
        is_next = self._heads[first].number <= self._expected
        is_late = self._patience is not None and waited >= self._patience
        return first if is_next or is_late or not self._lacking() else None

    def _sleep(self, start: float) -> None:
        lacking = self._lacking()
        length = _SLICE if len(lacking) == 1 else _GLANCE
        left = [limit for limit in (self._timeout, self._patience) if limit is not None]
        if left:
            length = max(0.0, min(length, min(left) - (time.monotonic() - start)))
        if self._timeout is not None and time.monotonic() - start >= self._timeout:
            raise LockTimeoutError(
                f"frame {self._expected} did not come in time from {len(lacking)} of "
                f"{len(self._streams)} streams"
            )
        for stream in lacking:
            stream._wait(length)  # noqa: SLF001 - the core's face for waits
