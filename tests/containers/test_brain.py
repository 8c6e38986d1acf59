# SPDX-License-Identifier: Apache-2.0
"""The brain example in containers, all from one image."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.containers.prepare import IMAGE, ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.containers.conftest import ContainerWorkshop

BRAIN = ROOT / "examples" / "brain"


def test_the_brain_is_segmented(workshop: ContainerWorkshop, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, BRAIN / "prepare_input.py", tmp_path / "input"], check=True, timeout=50
    )
    images = tmp_path / "images.yaml"
    known = (BRAIN / "images-containers.yaml").read_text()
    images.write_text(known.replace("clara-fastio/operators", IMAGE))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "clara_fastio.cli", "run", BRAIN / "pipeline.yaml"),
            *("--runtime", workshop.engine, "--images", images),
            *("--input", tmp_path / "input", "--output", tmp_path / "output"),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=55,
    )
    assert done.returncode == 0, done.stderr
    results = tmp_path / "output" / "operators" / "report" / "report"
    assert {path.name for path in results.iterdir()} >= {"labels.nii.gz", "report.json"}
    edges = json.loads((tmp_path / "output" / "job.json").read_text())["edges"]
    volumes = {edge["target"]: edge for edge in edges if edge["output"] == "t1"}
    assert {edge["medium"] for edge in volumes.values()} == {"memory"}
