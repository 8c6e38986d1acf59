# SPDX-License-Identifier: Apache-2.0
"""A hand-made ring of slots, for peers that give shared memory and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np


class RingSender:
    """Fills slots in turn.

    Parameters
    ----------
    view
        Gives the bytes of a slot.
    wait
        Waits until a slot is free.
    signal
        Tells the other side of one more frame, or with False of the end.
    """

    def __init__(
        self,
        view: Callable[[int], np.ndarray],
        depth: int,
        wait: Callable[[], object],
        signal: Callable[[bool], object],
    ) -> None:
        self._view = view
        self._depth = depth
        self._wait = wait
        self._signal = signal
        self._sent = 0

    def next(self) -> np.ndarray:
        """Wait for a free slot."""
        self._wait()
        return self._view(self._sent % self._depth)

    def send(self) -> None:
        """Hand it on."""
        self._sent += 1
        self._signal(True)

    def finish(self) -> None:
        """End the stream."""
        self._signal(False)


class RingReceiver:
    """Reads slots in turn.

    Parameters
    ----------
    view
        Gives the bytes of a slot.
    wait
        Waits for one more frame; gives False at the end.
    signal
        Tells the other side of one more free slot.
    """

    def __init__(
        self,
        view: Callable[[int], np.ndarray],
        depth: int,
        wait: Callable[[], bool],
        signal: Callable[[], object],
    ) -> None:
        self._view = view
        self._depth = depth
        self._wait = wait
        self._received = 0
        self.release = signal

    def receive(self) -> np.ndarray | None:
        """Wait for a frame."""
        if not self._wait():
            return None
        slot = self._received % self._depth
        self._received += 1
        return self._view(slot)


def offsets(nbytes: int, depth: int) -> Sequence[int]:
    """Place slots at multiples of a page."""
    return [i * stride(nbytes) for i in range(depth)]


def stride(nbytes: int) -> int:
    """Round up to whole pages."""
    return -(-nbytes // 4096) * 4096
