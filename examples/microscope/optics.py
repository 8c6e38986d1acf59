# SPDX-License-Identifier: Apache-2.0
"""The microscope that this example has instead of a real one: lamp, dust, sensor and noise.

The lamp is off the axis, dust lies on the sensor's window, and pixels differ. What a frame shows of
the specimen is therefore dark at the rim and spotted, until it is divided by what an empty field
looks like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bayer
import numpy as np
from stage import FIELD

if TYPE_CHECKING:
    from numpy.typing import NDArray

SENSOR = (2 * FIELD, 2 * FIELD)
#: Counts where the converter ends; those of a bright pixel at exposure 1; those of a dark one.
FULL = 4095
_BRIGHT = 3000
_DARK = 100
#: Variance in counts: that of the light for each count of it, and that of reading.
_SHOT = 0.3
_READ = 4.0
#: How the lamp lights the three colours, as a halogen lamp does.
_LAMP = (1.0, 0.86, 0.62)
_DUST = 14


class Microscope:
    """Takes frames of scenes.

    Parameters
    ----------
    seed
        Of its faults: the same seed is the same microscope.
    """

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng([seed, 0])
        self._dark = (_DARK + random.normal(0, 3, SENSOR)).astype(np.float32)
        self._light = (_BRIGHT * _illumination(random)).astype(np.float32)
        self._signal = np.empty(SENSOR, np.float32)
        self._noise = np.empty(SENSOR, np.float32)

    def expose(
        self,
        scene: NDArray[np.float32] | None,
        exposure: float,
        random: np.random.Generator,
        out: NDArray[np.uint16],
    ) -> None:
        """Take one frame.

        Parameters
        ----------
        scene
            float32 [256, 256, 3], the share of light from each point; None is an empty field.
        exposure
            How much light there is; 0 is a closed shutter.
        random
            Of the noise.
        out
            uint16 [512, 512], receives 0 to `FULL`.
        """
        signal, noise = self._signal, self._noise
        if scene is None:
            signal[:] = self._light
        else:
            bayer.spread(scene, signal)
            signal *= self._light
        signal *= np.float32(exposure)
        random.standard_normal(out=noise, dtype=np.float32)
        noise *= np.sqrt(np.float32(_SHOT) * signal + np.float32(_READ))
        signal += noise
        signal += self._dark
        np.rint(signal, out=signal)
        np.clip(signal, 0, FULL, out=signal)
        out[...] = signal


def _illumination(random: np.random.Generator) -> NDArray[np.float64]:
    """Draw what an empty field looks like, 1 where it is brightest."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in SENSOR), indexing="ij", sparse=True)
    light = np.exp(-0.5 * ((x - 0.25) ** 2 + (y + 0.15) ** 2) / 0.85**2)
    for _ in range(_DUST):
        at_x, at_y = random.uniform(-0.95, 0.95, 2)
        size, depth = random.uniform(0.015, 0.05), random.uniform(0.1, 0.35)
        distance = np.hypot(x - at_x, y - at_y)
        light *= 1 - depth / (1 + np.exp((distance - size) / 0.006))
    colours = np.empty((FIELD, FIELD, 3), np.float32)
    colours[:] = _LAMP
    lamp = np.empty(SENSOR, np.float32)
    bayer.spread(colours, lamp)
    return light * lamp * (1 + random.normal(0, 0.01, SENSOR))
