# SPDX-License-Identifier: Apache-2.0
"""Operator `denoise`: smooths the scan from one shared volume straight into another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import denoising
from stopwatch import Stopwatch

from clara_fastio import Driver

if TYPE_CHECKING:
    from clara_fastio.driver import Payload


def execute(_: Driver, payload: Payload) -> None:
    """Fill the output `t1` from the input `t1`."""
    watch = Stopwatch()
    with payload.inputs["t1"].map("r") as noisy:
        volume = payload.outputs["t1"]
        volume.update_shape(noisy.shape)
        volume.allocate()
        with volume.map("w") as smooth:
            denoising.denoise(noisy, out=smooth)

    with payload.outputs["denoise-seconds"].map("w") as seconds:
        seconds[:] = watch.read()


if __name__ == "__main__":
    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
