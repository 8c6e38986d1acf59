# SPDX-License-Identifier: Apache-2.0
"""Operator `preview`: shows the newest frame, as often as a screen wants one."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING

import bayer
import numpy as np
from optics import FULL
from skimage import io
from stage import FIELD

from clara_fastio import Driver

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from clara_fastio.driver import Payload


def show(raw: NDArray[np.uint16], path: Path) -> None:
    """Write a picture of a frame in place of the last one; who reads it never sees half of one."""
    colours = np.empty((FIELD, FIELD, 3), np.float32)
    bayer.collect(raw.astype(np.float32), colours)
    shades = np.clip(colours * (255 / FULL), 0, 255).astype(np.uint8)
    new = path.with_name("new-" + path.name)
    io.imsave(new, shades, check_contrast=False)
    new.replace(path)


def execute(driver: Driver, payload: Payload) -> None:
    """Write `preview.png` again and again, and at the end which frames it showed."""
    folder, period = payload.outputs["preview"], 1 / driver.application_data["refresh"]
    shown = []
    due = time.monotonic()
    for frame in payload.inputs["frames"].frames():
        show(frame.array, folder / "preview.png")
        shown.append(frame.number)
        # The slot goes back to the camera before the wait for the screen.
        frame.release()
        due = max(due + period, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
    (folder / "preview.json").write_text(json.dumps({"shown": shown}) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--refresh", type=float, required=True, help="pictures per second")
    driver = Driver(execute_handler=execute, application_data=vars(parser.parse_args()))
    driver.start()
    driver.wait_for_completion()
