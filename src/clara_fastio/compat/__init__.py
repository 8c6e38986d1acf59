# SPDX-License-Identifier: Apache-2.0
"""The module ``clara`` for programs written for the original.

This folder holds nothing but the package ``clara``: a runner puts it on the path of its
operators, and everything else in it would become importable too.
"""

from __future__ import annotations

import importlib
import pathlib
import sys

__all__ = ["CLARA_PATH", "install_as_clara"]

#: The folder to put on ``PYTHONPATH`` so that ``import clara`` works.
CLARA_PATH = pathlib.Path(__file__).parent


def install_as_clara() -> None:
    """Make ``import clara`` work in this process.

    Raises
    ------
    ImportError
        Another module of that name was imported before.
    """
    module = importlib.import_module("clara_fastio.compat.clara")
    installed = sys.modules.setdefault("clara", module)
    if getattr(installed, "Driver", None) is not module.Driver:
        raise ImportError(f"another module 'clara' is imported already: {installed!r}")
