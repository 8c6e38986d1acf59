# SPDX-License-Identifier: Apache-2.0
"""The 64 bytes that travel with each frame: which field of which slide it shows, and how."""

from __future__ import annotations

import struct
from typing import NamedTuple

_FORMAT = struct.Struct("<4I2dqd")


class FieldHeader(NamedTuple):
    """What the stage and the camera know about one frame.

    Parameters
    ----------
    slide
        Index of the specimen on the stage, as in `stage.SLIDES`.
    sweep
        How often the stage has been here before.
    row, column
        Which field of the plan it is.
    x, y
        Where the stage's encoders say that the left upper corner lies, in points.
    taken
        When the shutter opened, in ns of the machine's monotonic clock.
    exposure
        Light of this frame, 1 for that of the calibration.
    """

    slide: int
    sweep: int
    row: int
    column: int
    x: float
    y: float
    taken: int
    exposure: float

    def pack(self) -> bytes:
        """Write it as bytes, at most 64."""
        return _FORMAT.pack(*self)

    @classmethod
    def unpack(cls, header: bytes) -> FieldHeader:
        """Read what `pack` wrote; bytes behind it are not looked at."""
        return cls(*_FORMAT.unpack_from(header))
