# SPDX-License-Identifier: Apache-2.0
"""Copy the photographs of the slides out of the package scikit-image into an input folder.

python prepare_slides.py FOLDER
"""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

FILES = {"tissue.png": "ihc.png", "retina.jpg": "retina.jpg"}


def prepare_slides(folder: Path) -> None:
    """Copy the two photographs into `folder`, under the names that the operators look for.

    Parameters
    ----------
    folder
        Made if it is not there.

    Raises
    ------
    ModuleNotFoundError
        scikit-image is not installed.
    """
    package = find_spec("skimage")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("skimage is missing; try: pip install 'clara-fastio[examples]'")
    data = Path(package.submodule_search_locations[0], "data")
    folder.mkdir(parents=True, exist_ok=True)
    for name, original in FILES.items():
        shutil.copyfile(data / original, folder / name)


if __name__ == "__main__":
    prepare_slides(Path(sys.argv[1]))
