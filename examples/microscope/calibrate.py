# SPDX-License-Identifier: Apache-2.0
"""Operator `calibrate`: measures the dark and the empty field, and how far the stage goes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
from optics import SENSOR, Microscope
from specimens import load_slides

from clara_fastio import Driver

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clara_fastio.driver import Payload

_FRAMES = 32


def average(
    microscope: Microscope, exposure: float, random: np.random.Generator
) -> NDArray[np.float32]:
    """Take frames without a slide and give their mean, float32 [512, 512], in counts."""
    total = np.zeros(SENSOR, np.uint32)
    raw = np.empty(SENSOR, np.uint16)
    for _ in range(_FRAMES):
        microscope.expose(None, exposure, random, raw)
        total += raw
    return (total / _FRAMES).astype(np.float32)


def execute(driver: Driver, payload: Payload) -> None:
    """Fill `dark`, `bright` and `extents`."""
    seed = driver.application_data["seed"]
    microscope, random = Microscope(seed), np.random.default_rng([seed, 1])
    for name, exposure in (("dark", 0.0), ("bright", 1.0)):
        with payload.outputs[name].map("w") as counts:
            counts[:] = average(microscope, exposure, random)
    with payload.outputs["extents"].map("w") as extents:
        extents[:] = [slide.shape[:2] for slide in load_slides(payload.inputs["slides"])]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    driver = Driver(execute_handler=execute, application_data=vars(parser.parse_args()))
    driver.start()
    driver.wait_for_completion()
