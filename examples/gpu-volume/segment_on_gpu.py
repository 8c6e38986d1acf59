# SPDX-License-Identifier: Apache-2.0
"""Operator `segment`: labels CSF, grey and white matter where the volume lies, on the GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import brain  # noqa: F401 - finds the next ones
import labelling
from stopwatch import Stopwatch

from clara_fastio import Driver

if TYPE_CHECKING:
    from clara_fastio.driver import Payload


def execute(_: Driver, payload: Payload) -> None:
    """Fill `labels` from `t1`, both on the device."""
    import cupy
    from cupyx.scipy import ndimage

    watch = Stopwatch()
    with payload.inputs["t1"].map("r") as voxels:
        volume = payload.outputs["labels"]
        volume.update_shape(voxels.shape)
        volume.allocate()
        with volume.map("w") as labels:
            labelling.label(voxels, out=labels, xp=cupy, ndimage=ndimage, to_host=cupy.asnumpy)

    with payload.outputs["segment-seconds"].map("w") as seconds:
        seconds[:] = watch.read()


if __name__ == "__main__":
    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
