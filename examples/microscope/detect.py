# SPDX-License-Identifier: Apache-2.0
"""Operators `detect-1` and `detect-2`: find nuclei in tissue and vessels in a retina.

Each frame goes to one of them; what it finds keeps the number of the frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from field_header import FieldHeader
from nuclei import find_nuclei
from stage import SLIDES
from vessels import find_vessels

from clara_fastio import Driver

if TYPE_CHECKING:
    from clara_fastio.driver import Payload

_FINDERS = {"tissue": find_nuclei, "retina": find_vessels}


def execute(driver: Driver, payload: Payload) -> None:
    """Make a frame of `found`, a row for each find, from each one of `flat` that comes."""
    output, count = payload.outputs["found"], 0
    for frame in payload.inputs["flat"].frames():
        finder = _FINDERS[SLIDES[FieldHeader.unpack(frame.header).slide]]
        finds = finder(frame.array)
        with output.next(shape=finds.shape, number=frame.number, header=frame.header) as found:
            found[:] = finds
        count += 1
    print(f"{driver.stage_name} looked at {count} frames")


if __name__ == "__main__":
    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
