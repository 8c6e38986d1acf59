# SPDX-License-Identifier: Apache-2.0
"""Operator `camera`: moves the stage over the slides and takes frames at a given rate."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np
from field_header import FieldHeader
from optics import Microscope
from specimens import load_slides
from stage import FIELD, Plan

from clara_fastio import Driver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clara_fastio.driver import Payload

#: By how much the light of a frame differs from that of the calibration.
_FLICKER = 0.08


def wait_until(when: float, driver: Driver) -> bool:
    """Sleep until that time of the monotonic clock; False when the driver is to stop before."""
    while (left := when - time.monotonic()) > 0:
        if driver.is_stopping:
            return False
        time.sleep(min(left, 0.1))
    return not driver.is_stopping


def stops(plans: list[Plan], sweeps: int, seed: int) -> Iterator[FieldHeader]:
    """Give the header of each frame in order, without its time."""
    random = np.random.default_rng([seed, 2])
    for sweep in range(sweeps):
        for slide, plan in enumerate(plans):
            for stop in plan:
                x, y = plan.arrive(stop, random)
                exposure = 1 + _FLICKER * float(random.uniform(-1, 1))
                yield FieldHeader(slide, sweep, stop.row, stop.column, x, y, 0, exposure)


def execute(driver: Driver, payload: Payload) -> None:
    """Make the frames of `frames`."""
    rate, sweeps, seed = (driver.application_data[name] for name in ("rate", "sweeps", "seed"))
    microscope, slides = Microscope(seed), load_slides(payload.inputs["slides"])
    plans = [Plan(*slide.shape[:2]) for slide in slides]
    output = payload.outputs["frames"]
    start, number = time.monotonic(), -1
    for number, field in enumerate(stops(plans, sweeps, seed)):
        if not wait_until(start + number / rate, driver):
            return
        # Numbers decide the noise, not the clock: the same seed gives the same frames.
        random = np.random.default_rng([seed, 3, number])
        x, y = int(field.x), int(field.y)
        scene = slides[field.slide][y : y + FIELD, x : x + FIELD]
        header = field._replace(taken=time.monotonic_ns()).pack()
        with output.next(number=number, header=header) as raw:
            microscope.expose(scene, field.exposure, random, raw)
    seconds = time.monotonic() - start
    print(f"{number + 1} frames in {seconds:.1f} s, {number / seconds:.1f} per second")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, required=True, help="frames per second")
    parser.add_argument("--sweeps", type=int, required=True, help="how often to go over the slides")
    parser.add_argument("--seed", type=int, required=True)
    driver = Driver(execute_handler=execute, application_data=vars(parser.parse_args()))
    driver.start()
    driver.wait_for_completion()
