# SPDX-License-Identifier: Apache-2.0
"""Operator `atlas`: puts frames and finds together again, counts, and draws what was found."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import numpy as np
from field_header import FieldHeader
from page import draw_page
from skimage import io
from stage import SLIDES, Plan
from stitching import Canvas
from tally import Row, Tally

import clara_fastio as fastio
from clara_fastio import Driver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clara_fastio import Frame
    from clara_fastio.driver import Payload

_EVERY = 1.0
#: Green light below which a field shows nothing of a specimen.
_BLACK = 0.06
_COLUMNS = "number,slide,sweep,row,column,x,y,finds,latency"


class Atlas:
    """The slides as they come together."""

    def __init__(self, extents: list[tuple[int, int]]) -> None:
        self._plans = [Plan(height, width) for height, width in extents]
        self.canvases = [Canvas(height, width) for height, width in extents]
        self.tally = Tally()

    def add(self, flat: Frame, found: Frame) -> None:
        """Take in a frame with what a worker found in it."""
        field = FieldHeader.unpack(found.header)
        x, y = int(field.x), int(field.y)
        self.canvases[field.slide].add(flat.array, x, y)
        core = self._plans[field.slide].core(field.row, field.column)
        finds = found.array.copy()
        finds[:, :2] += (x, y)
        green = flat.array[core.top - y : core.bottom - y, core.left - x : core.right - x, 1]
        self.tally.rows.append(
            Row(
                number=found.number,
                field=field,
                finds=finds[core.owns(finds[:, 0], finds[:, 1])],
                area=int(np.count_nonzero(green > _BLACK)),
                seconds=time.monotonic(),
            )
        )


def pairs(payload: Payload) -> Iterator[tuple[Frame, Frame]]:
    """Give each frame of `flat` with its finds, whichever worker made them."""
    flats = payload.inputs["flat"].frames()
    workers = [payload.inputs[f"{name}/found"].frames() for name in ("detect-1", "detect-2")]
    with fastio.gather(*workers) as finds:
        for flat, found in zip(flats, finds, strict=True):
            if flat.number != found.number:
                raise RuntimeError(
                    f"frame {flat.number} has no finds; the next are of {found.number}"
                )
            yield flat, found


def write(folder: Path, atlas: Atlas) -> None:
    """Write pictures, tables and numbers."""
    pictures = [canvas.picture() for canvas in atlas.canvases]
    last = atlas.tally.sweeps[-1]
    for name, picture in zip(SLIDES, pictures, strict=True):
        io.imsave(folder / f"{name}.png", picture, check_contrast=False)
        np.savetxt(
            folder / f"{name}.csv", atlas.tally.finds(name, last), "%.2f", ",",
            header="x,y,length,width,angle," + {"tissue": "brown", "retina": "bend"}[name],
            comments="",
        )  # fmt: skip
    with (folder / "frames.csv").open("w") as table:
        print(_COLUMNS, file=table)
        for row in atlas.tally.rows:
            field = row.field
            print(
                row.number, SLIDES[field.slide], field.sweep, field.row, field.column,
                int(field.x), int(field.y), len(row.finds), f"{row.latency:.4f}",
                sep=",", file=table,
            )  # fmt: skip
    summary = atlas.tally.summary()
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    draw_page(folder / "mosaic.png", pictures, atlas.tally)


def execute(_: Driver, payload: Payload) -> None:
    """Write the mosaics with what was found, and say each second how things stand."""
    with payload.inputs["extents"].map("r") as extents:
        atlas = Atlas([(int(height), int(width)) for height, width in extents])
    due = 0.0
    for flat, found in pairs(payload):
        atlas.add(flat, found)
        if time.monotonic() >= due:
            print(atlas.tally.line())
            due = time.monotonic() + _EVERY
    print(atlas.tally.line())
    write(payload.outputs["atlas"], atlas)


if __name__ == "__main__":
    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
