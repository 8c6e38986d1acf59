# SPDX-License-Identifier: Apache-2.0
"""Copy the MNI152 template and its tissue maps out of the package nilearn into an input folder.

python prepare_input.py FOLDER
"""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

FILES = {
    "t1.nii.gz": "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz",
    "grey.nii.gz": "mni_icbm152_gm_tal_nlin_sym_09a_converted.nii.gz",
    "white.nii.gz": "mni_icbm152_wm_tal_nlin_sym_09a_converted.nii.gz",
}


def prepare_input(folder: Path) -> None:
    """Copy the three volumes into `folder`, under the names that the operators look for.

    Parameters
    ----------
    folder
        Made if it is not there.

    Raises
    ------
    ModuleNotFoundError
        nilearn is not installed.
    """
    # Found without importing it: that would load scikit-learn to copy three files.
    package = find_spec("nilearn")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("nilearn is missing; try: pip install 'clara-fastio[examples]'")
    data = Path(package.submodule_search_locations[0], "datasets", "data")
    folder.mkdir(parents=True, exist_ok=True)
    for name, original in FILES.items():
        shutil.copyfile(data / original, folder / name)


if __name__ == "__main__":
    prepare_input(Path(sys.argv[1]))
