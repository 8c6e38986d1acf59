# SPDX-License-Identifier: Apache-2.0
"""The modules of the brain example, a phantom to try them on, and the real scan."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

BRAIN = Path(__file__).resolve().parents[2] / "examples" / "brain"
sys.path.insert(0, str(BRAIN))

INTENSITIES = np.array([0, 60, 160, 220], np.float32)


class Phantom(NamedTuple):
    """A noiseless scan with mixed voxels, and the tissue that fills most of each voxel."""

    volume: np.ndarray
    labels: np.ndarray

    def noisy(self, deviation: float) -> np.ndarray:
        """Add noise inside the brain, where voxels stay above zero."""
        noise = np.random.default_rng(7).normal(0, deviation, self.volume.shape)
        noisy = np.maximum(self.volume + noise, 1).astype(np.float32)
        noisy[self.labels == 0] = 0
        return noisy


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    """A folded ball of white matter in grey matter in CSF, drawn finely and then averaged."""
    fine = 2
    size = np.array([48, 56, 44]) * fine
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in size), indexing="ij", sparse=True)
    folds = 0.06 * np.sin(11 * x) * np.sin(9 * y) * np.sin(10 * z)
    radius = np.sqrt(x**2 + y**2 + z**2) + folds
    tissue = np.select([radius < 0.45, radius < 0.7, radius < 0.85], [3, 2, 1], 0)
    blocks = tissue.reshape([n for half in size // fine for n in (half, fine)])
    shares = np.stack([(blocks == value).mean((1, 3, 5)) for value in range(4)], axis=-1)
    labels = shares.argmax(-1).astype(np.uint8)
    volume = (shares @ INTENSITIES).astype(np.float32)
    volume[labels == 0] = 0
    return Phantom(volume, labels)


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the MNI152 template and its tissue maps."""
    from prepare_input import prepare_input

    folder = tmp_path_factory.mktemp("scans")
    prepare_input(folder)
    return folder
