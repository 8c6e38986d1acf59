# SPDX-License-Identifier: Apache-2.0
"""The example on a GPU, as far as it can be looked at without one."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

import clara_fastio

FOLDER = Path(__file__).resolve().parents[3] / "examples" / "gpu-volume"
OPERATORS = ("denoise_on_gpu", "segment_on_gpu", "fetch")
sys.path.insert(0, str(FOLDER))

CAN_RUN = clara_fastio.capabilities().available and importlib.util.find_spec("cupy") is not None


def run(*command, **options):
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
    }
    return subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        env=environment,
        **options,
    )


@pytest.mark.skipif(CAN_RUN, reason="there is a GPU, and cupy")
def test_without_a_gpu_it_says_what_is_missing_and_does_nothing(tmp_path):
    done = run(FOLDER / "run", tmp_path / "work")
    assert done.returncode == 6
    assert done.stdout == ""
    (said,) = done.stderr.splitlines()
    assert said.startswith("gpu-volume cannot run here: ")
    assert (clara_fastio.capabilities().reason or "cupy") in said
    assert not (tmp_path / "work").exists()


@pytest.mark.skipif(not CAN_RUN, reason="no device")
def test_on_a_gpu_the_labels_are_as_good_as_on_the_host(tmp_path):
    done = run(FOLDER / "run", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    report = tmp_path / "output" / "operators" / "report" / "report" / "report.json"
    dice = json.loads(report.read_text())["dice"]
    assert dice["grey"] > 0.94
    assert dice["white"] > 0.94


def test_definition_is_valid_and_keeps_the_volume_on_the_device():
    done = run(
        sys.executable, "-m", "clara_fastio.cli", "validate", "--json", FOLDER / "pipeline.yaml"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = json.loads(done.stdout)
    assert found["valid"]
    on_device = {
        (one["operator"], one["output"]) for one in found["placements"] if one["memory"] == "device"
    }
    assert on_device == {("denoise", "t1"), ("segment", "labels")}


@pytest.mark.parametrize("operator", OPERATORS)
def test_operators_import_without_cupy(operator):
    code = f"import sys, {operator}; print(callable({operator}.execute), 'cupy' in sys.modules)"
    done = run(sys.executable, "-W", "error", "-c", code, cwd=FOLDER)
    assert (done.returncode, done.stdout) == (0, "True False\n"), done.stderr


def test_smoothing_is_that_of_the_brain_example(phantom):
    import denoising
    import smoothing

    noisy = phantom.noisy(8)
    expected, found = np.zeros_like(noisy), np.zeros_like(noisy)
    sigma = denoising.denoise(noisy, out=expected)
    assert smoothing.smooth(noisy, out=found, xp=np, ndimage=ndimage) == pytest.approx(sigma)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-2)


def test_labels_are_those_of_the_brain_example(phantom):
    import labelling
    import tissue

    expected, found = (np.zeros(phantom.volume.shape, np.uint8) for _ in range(2))
    tissue.segment(phantom.volume, out=expected)
    labelling.label(phantom.volume, out=found, xp=np, ndimage=ndimage, to_host=np.asarray)
    inside = phantom.labels > 0
    assert not found[~inside].any()
    assert (found == expected)[inside].mean() > 0.97
    assert (found == phantom.labels)[inside].mean() > 0.9
