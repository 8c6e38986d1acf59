# SPDX-License-Identifier: Apache-2.0
"""Operator `denoise`: smooths the scan from pinned host memory into the memory of the GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import brain  # noqa: F401 - finds the next one
import smoothing
from stopwatch import Stopwatch

from clara_fastio import Driver

if TYPE_CHECKING:
    from clara_fastio.driver import Payload


def execute(_: Driver, payload: Payload) -> None:
    """Fill the output `t1`, on the device, from the input `t1`."""
    import cupy
    from cupyx.scipy import ndimage

    watch = Stopwatch()
    with payload.inputs["t1"].map("r") as noisy:
        volume = payload.outputs["t1"]
        volume.update_shape(noisy.shape)
        volume.allocate()
        with volume.map("w") as smooth:
            smoothing.smooth(cupy.asarray(noisy), out=smooth, xp=cupy, ndimage=ndimage)
        # The copy out of pinned memory runs beside us, and the input is ours no longer than this.
        cupy.cuda.get_current_stream().synchronize()

    with payload.outputs["denoise-seconds"].map("w") as seconds:
        seconds[:] = watch.read()


if __name__ == "__main__":
    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
