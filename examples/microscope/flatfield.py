# SPDX-License-Identifier: Apache-2.0
"""Operator `flatfield`: divides each frame by the measured illumination, from slot to slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from field_header import FieldHeader
from flattening import Flattener

from clara_fastio import Driver

if TYPE_CHECKING:
    from clara_fastio.driver import Payload


def execute(_: Driver, payload: Payload) -> None:
    """Make a frame of `flat` from each one of `frames`."""
    inputs, output = payload.inputs, payload.outputs["flat"]
    with inputs["dark"].map("r") as dark, inputs["bright"].map("r") as bright:
        flattener = Flattener(dark, bright)
    for frame in inputs["frames"].frames():
        exposure = FieldHeader.unpack(frame.header).exposure
        with output.next(number=frame.number, header=frame.header) as flat:
            flattener.flatten(frame.array, exposure, flat)


if __name__ == "__main__":
    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
