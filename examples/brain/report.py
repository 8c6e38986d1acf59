# SPDX-License-Identifier: Apache-2.0
"""Operator `report`: judges the labels by the tissue maps and shows them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
from dice import dice_per_tissue, reference_labels
from montage import draw_montage
from scan import Scan
from slices import LabelledVolume
from stopwatch import Stopwatch
from timeline import StageTime, draw_timeline
from tissue import LABELS

from clara_fastio import Driver

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from clara_fastio.driver import Payload


def execute(_: Driver, payload: Payload) -> None:
    """Write labels.nii.gz, montage.png, timeline.png and report.json."""
    watch = Stopwatch()
    maps, folder = payload.inputs["scans"], payload.outputs["report"]
    with payload.inputs["affine"].map("r") as numbers:
        affine = numbers.copy()
    with payload.inputs["about"].map("r") as characters:
        about = characters.tobytes().decode()

    with payload.inputs["t1"].map("r") as voxels, payload.inputs["labels"].map("r") as labels:
        nib.Nifti1Image(labels, affine).to_filename(folder / "labels.nii.gz")
        reference = reference_labels(
            labels > 0, probabilities(maps / "grey.nii.gz"), probabilities(maps / "white.nii.gz")
        )
        scores = dice_per_tissue(labels, reference)
        litres = np.abs(np.linalg.det(affine[:3, :3])) * 1e-6
        volumes = {name: np.count_nonzero(labels == LABELS[name]) * litres for name in LABELS}
        draw_montage(
            folder / "montage.png", LabelledVolume(voxels, labels, affine), scores, subtitle=about
        )

    stages = [stage_time(payload, name) for name in ("read", "denoise", "segment")]
    stages.append(StageTime("report", *watch.read()))
    draw_timeline(folder / "timeline.png", stages)
    result = {
        "scan": about,
        "dice": scores,
        "litres": {name: round(volume, 4) for name, volume in volumes.items()},
        "stages": [
            {
                "name": stage.name,
                "seconds": round(stage.duration, 4),
                "processor_seconds": round(stage.processing, 4),
            }
            for stage in stages
        ],
    }
    (folder / "report.json").write_text(json.dumps(result, indent=2) + "\n")


def probabilities(path: Path) -> NDArray[np.float32]:
    """Read a tissue map and scale it to probabilities: its highest value stands for certainty."""
    scan = Scan(path)
    voxels = np.empty(scan.shape, np.float32)
    scan.decode(voxels)
    voxels /= voxels.max()
    return voxels


def stage_time(payload: Payload, name: str) -> StageTime:
    """Read what the stage `name` measured."""
    with payload.inputs[f"{name}-seconds"].map("r") as seconds:
        return StageTime(name, *seconds.tolist())


if __name__ == "__main__":
    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
