# SPDX-License-Identifier: Apache-2.0
"""What the processes of a stream say of themselves, as in ``cpp/tests/crash/ledger.hpp``."""

from __future__ import annotations

import mmap
import os
import struct

import numpy as np

_LINE = 64
_REPORTS = 1024
_EDGES = 8
_FRAMES_PER_EDGE = 1 << 26
_SEEN = 2 * _LINE + _REPORTS * _LINE
_NBYTES = _SEEN + _EDGES * _FRAMES_PER_EDGE // 8


class Ledger:
    """Memory of one stream that outlives all its processes."""

    def __init__(self) -> None:
        self._fd = os.memfd_create("ledger")
        os.ftruncate(self._fd, _NBYTES)
        self._map = mmap.mmap(self._fd, _NBYTES)

    @property
    def path(self) -> str:
        """Where the processes find it."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    @property
    def committed(self) -> int:
        """Frames whose commit came back to the producer."""
        return self._word(0)

    def stop(self) -> None:
        """Let the producer finish its stream."""
        struct.pack_into("<Q", self._map, _LINE, 1)

    def taken(self, report: int) -> int:
        """Frames that a process marked as seen."""
        return self._word(2 * _LINE + report * _LINE)

    def held(self, report: int) -> int:
        """Frames that it held when it last said so."""
        return self._word(2 * _LINE + report * _LINE + 8)

    def seen(self, edge: int, frames: int) -> np.ndarray:
        """Tell of each frame whether a consumer of the edge has seen it."""
        start = _SEEN + edge * _FRAMES_PER_EDGE // 8
        marks = np.frombuffer(self._map[start : start + frames // 8 + 1], np.uint8)
        return np.unpackbits(marks, count=frames, bitorder="little").astype(bool)

    def close(self) -> None:
        """Give the memory back; the processes must have ended."""
        self._map.close()
        os.close(self._fd)

    def _word(self, offset: int) -> int:
        return int(struct.unpack_from("<Q", self._map, offset)[0])
