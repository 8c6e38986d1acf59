# SPDX-License-Identifier: Apache-2.0
"""The brain example as a job: four processes, run by `clara run`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from matplotlib.image import imread

BRAIN = Path(__file__).resolve().parents[2] / "examples" / "brain"
OPERATORS = ("read", "denoise", "segment", "report")

WITNESS = """
import json, runpy, sys
seen = set()
def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and arguments[0].endswith(".nii.gz"):
        seen.add((arguments[0].rpartition("/")[2], str(arguments[1])[:1]))
sys.addaudithook(hook)
log, program = sys.argv[1:]
sys.path.insert(0, program.rpartition("/")[0])
runpy.run_path(program, run_name="__main__")
with open(log, "w") as file:
    json.dump(sorted(seen), file)
"""


@pytest.fixture(scope="module")
def job(scans, tmp_path_factory):
    """Run the pipeline once, with a witness in each process that notes which scans it opens."""
    folder = tmp_path_factory.mktemp("job")
    (folder / "witness.py").write_text(WITNESS)
    images = {
        f"brain/{name}": {
            "command": [
                "python",
                str(folder / "witness.py"),
                str(folder / f"{name}.json"),
                str(BRAIN / f"{name}.py"),
            ],
            "driver": True,
        }
        for name in OPERATORS
    }
    (folder / "images.yaml").write_text(json.dumps({"images": images}))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "clara_fastio.cli", "run", BRAIN / "pipeline.yaml"),
            *("--images", folder / "images.yaml", "--input", scans, "--output", folder / "out"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def results(job):
    return job / "out" / "operators" / "report" / "report"


def test_overlaps_are_above_the_goal(results):
    report = json.loads((results / "report.json").read_text())
    assert report["dice"]["grey"] > 0.88
    assert report["dice"]["white"] > 0.88
    assert 1.5 < sum(report["litres"].values()) < 2.5


def test_labels_lie_in_the_space_of_the_scan(results, scans):
    scan, labels = nib.load(scans / "t1.nii.gz"), nib.load(results / "labels.nii.gz")
    assert labels.shape == scan.shape == (197, 233, 189)
    assert np.array_equal(labels.affine, scan.affine)
    voxels = np.asanyarray(labels.dataobj)
    assert set(np.unique(voxels)) == {0, 1, 2, 3}
    assert np.array_equal(voxels > 0, np.asanyarray(scan.dataobj) > 0)


def test_pictures_can_be_opened(results):
    assert imread(results / "montage.png").shape[1] == 1920
    assert imread(results / "timeline.png").shape[1] == 1920


def test_stages_are_timed_in_the_order_of_the_data(results):
    report = json.loads((results / "report.json").read_text())
    assert [stage["name"] for stage in report["stages"]] == list(OPERATORS)
    assert all(stage["seconds"] > 0 for stage in report["stages"])


def test_each_operator_opens_its_own_files_only(job):
    opened = {name: json.loads((job / f"{name}.json").read_text()) for name in OPERATORS}
    assert opened == {
        "read": [["t1.nii.gz", "r"]],
        "denoise": [],
        "segment": [],
        "report": [["grey.nii.gz", "r"], ["labels.nii.gz", "w"], ["white.nii.gz", "r"]],
    }


def test_segment_has_the_t1_volume_as_its_only_input():
    from clara_fastio.pipeline import load_definition

    pipeline = load_definition(BRAIN / "pipeline.yaml").resolve()
    (segment,) = (one for one in pipeline.operators if one.name == "segment")
    assert [(one.source, one.name, one.type) for one in segment.inputs] == [
        ("denoise", "t1", "array")
    ]


def test_segmentation_has_no_way_to_read_scans():
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, tissue; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=BRAIN,
    ).stdout.split()
    assert "tissue" in loaded
    assert not {"nibabel", "nilearn", "scan", "dice"} & set(loaded)
