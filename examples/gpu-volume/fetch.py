# SPDX-License-Identifier: Apache-2.0
"""Operator `fetch`: copies the labels from the GPU to the host, for those who have no GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clara_fastio import Driver

if TYPE_CHECKING:
    from clara_fastio.driver import Payload


def execute(_: Driver, payload: Payload) -> None:
    """Fill the output `labels`, on the host, from the input `labels`."""
    with payload.inputs["labels"].map("r") as labels:
        volume = payload.outputs["labels"]
        volume.update_shape(labels.shape)
        volume.allocate()
        with volume.map("w") as host:
            labels.get(out=host)


if __name__ == "__main__":
    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
