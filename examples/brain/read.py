# SPDX-License-Identifier: Apache-2.0
"""Operator `read`: decodes the T1 scan of the job's input into shared memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scan import Scan
from stopwatch import Stopwatch

from clara_fastio import Driver

if TYPE_CHECKING:
    from clara_fastio.driver import Payload


def execute(_: Driver, payload: Payload) -> None:
    """Put the voxels, the affine and a description of the scan into the outputs."""
    watch = Stopwatch()
    scan = Scan(payload.inputs["scans"] / "t1.nii.gz")

    volume = payload.outputs["t1"]
    volume.update_shape(scan.shape)
    volume.allocate()
    with volume.map("w") as voxels:
        scan.decode(voxels)

    with payload.outputs["affine"].map("w") as affine:
        affine[:] = scan.affine

    about = payload.outputs["about"]
    text = scan.description.encode()
    about.update_shape((len(text),))
    about.allocate()
    with about.map("w") as characters:
        characters[:] = memoryview(text)

    with payload.outputs["read-seconds"].map("w") as seconds:
        seconds[:] = watch.read()


if __name__ == "__main__":
    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
