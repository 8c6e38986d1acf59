# SPDX-License-Identifier: Apache-2.0
"""The microscope example as a job: what comes out is what was put on the stage."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage import io
from specimens import load_slides
from stage import SLIDES, Plan

MICROSCOPE = Path(__file__).resolve().parents[3] / "examples" / "microscope"


class Run:
    """One run, over all slides once."""

    def __init__(self, photographs, folder, rate):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "clara_fastio.cli", "run", MICROSCOPE / "pipeline.yaml"),
                *("--images", MICROSCOPE / "images.yaml", "--input", photographs),
                *("--output", folder, "--argument", f"rate={rate}", "--argument", "sweeps=1"),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=55,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.report = done.stdout
        self.atlas = folder / "operators" / "atlas" / "atlas"
        self.preview = folder / "operators" / "preview" / "preview"
        self.job = json.loads((folder / "job.json").read_text())
        self.summary = json.loads((self.atlas / "summary.json").read_text())
        with (self.atlas / "frames.csv").open() as table:
            self.frames = list(csv.DictReader(table))

    @property
    def edges(self):
        """All edges that carry frames, by the stream and their own name."""
        return {
            (stream["operator"], edge["name"]): edge
            for stream in self.job["streams"]
            for edge in stream["edges"]
        }

    def finds(self, slide):
        return np.loadtxt(self.atlas / f"{slide}.csv", delimiter=",", skiprows=1)


@pytest.fixture(scope="module")
def run(photographs, tmp_path_factory):
    """A run at a rate that every operator can keep up with."""
    return Run(photographs, tmp_path_factory.mktemp("run") / "out", rate=30)


@pytest.fixture(scope="module")
def slides(photographs):
    return dict(zip(SLIDES, load_slides(photographs), strict=True))


@pytest.mark.parametrize("slide", SLIDES)
def test_mosaic_is_the_slide(run, slides, slide):
    mosaic = io.imread(run.atlas / f"{slide}.png") / 255
    error = np.abs(mosaic - slides[slide])
    assert mosaic.shape == slides[slide].shape
    assert error.mean() < 0.008
    # A field laid down a few points beside its place would show wherever there are edges.
    assert np.percentile(error, 99.9) < 0.05


def test_no_frame_is_lost_and_each_is_there_once(run, slides):
    assert [int(row["number"]) for row in run.frames] == list(range(len(run.frames)))
    planned = [
        (slide, stop.row, stop.column)
        for slide in SLIDES
        for stop in Plan(*slides[slide].shape[:2])
    ]
    seen = [(row["slide"], int(row["row"]), int(row["column"])) for row in run.frames]
    assert seen == planned


def test_edges_that_block_lose_nothing(run):
    blocking = {name: edge for name, edge in run.edges.items() if edge["policy"] == "block"}
    assert len(blocking) == 5
    for edge in blocking.values():
        assert edge["taken"] == edge["offered"] == edge["released"]
    frames = len(run.frames)
    assert blocking["camera", "flatfield/frames"]["taken"] == frames
    assert blocking["flatfield", "workers"]["taken"] == frames
    made = [blocking[f"detect-{worker}", "atlas/found"]["taken"] for worker in (1, 2)]
    assert sum(made) == frames
    shares = blocking["flatfield", "workers"]["consumers"]
    assert {one["operator"]: one["taken"] for one in shares} == {
        f"detect-{worker}": taken for worker, taken in enumerate(made, start=1)
    }


def test_counts_are_plausible(run):
    nuclei = run.finds("tissue")
    assert 500 < len(nuclei) < 800
    assert 0.5 < nuclei[:, 5].mean() < 0.9
    # Points are half as wide as pixels of the photograph, in which nuclei are 6 to 15 long.
    assert 10 < np.median(nuclei[:, 2]) < 35
    assert 10_000 < run.finds("retina")[:, 2].sum() < 25_000


def test_no_nucleus_is_counted_by_two_fields(run):
    nuclei = run.finds("tissue")
    apart = np.hypot(*(nuclei[:, None, axis] - nuclei[None, :, axis] for axis in (0, 1)))
    np.fill_diagonal(apart, np.inf)
    assert (apart.min(axis=1) < 4).mean() < 0.02


def test_brown_cells_are_in_the_glands(run):
    nuclei = run.finds("tissue")
    right = nuclei[nuclei[:, 0] > 940]  # Stroma from top to bottom.
    gland = nuclei[(nuclei[:, 0] < 400) & (nuclei[:, 1] < 350)]
    assert right[:, 5].mean() < 0.15
    assert gland[:, 5].mean() > 0.9


def test_vessels_are_darker_than_what_is_beside_them(run, slides):
    green, vessels = slides["retina"][..., 1], run.finds("retina")
    wide = vessels[vessels[:, 3] > 5]
    aside = 1.5 * wide[:, 3:4] * np.stack([-np.sin(wide[:, 4]), np.cos(wide[:, 4])], axis=1)

    def look(places):
        x, y = places.round().astype(int).T.clip(0, np.array(green.shape)[::-1, None] - 1)
        return green[y, x]

    middle, sides = look(wide[:, :2]), (look(wide[:, :2] + aside) + look(wide[:, :2] - aside)) / 2
    assert (middle < sides).mean() > 0.9


def test_what_is_found_does_not_depend_on_the_rate(run, photographs, tmp_path):
    """A camera that is faster than its consumers waits for them."""
    hurried = Run(photographs, tmp_path / "out", rate=1000)
    for result in ("frames", "tissue", "retina"):
        assert hurried.summary[result] == run.summary[result]
    for slide in SLIDES:
        assert np.array_equal(hurried.finds(slide), run.finds(slide))
        name = f"{slide}.png"
        assert (hurried.atlas / name).read_bytes() == (run.atlas / name).read_bytes()


def test_preview_shows_the_newest_frame_and_says_what_it_missed(run):
    shown = json.loads((run.preview / "preview.json").read_text())["shown"]
    assert shown == sorted(set(shown))
    assert 0 < len(shown) < len(run.frames)
    assert shown[-1] == len(run.frames) - 1
    assert io.imread(run.preview / "preview.png").shape == (256, 256, 3)
    edge = run.edges["camera", "preview/frames"]
    assert edge["taken"] == len(shown)
    assert edge["dropped"] == len(run.frames) - len(shown)
    assert f"{edge['dropped']} dropped by its policy latest" in run.report


def test_page_can_be_opened(run):
    assert io.imread(run.atlas / "mosaic.png").shape[1] == 1920
