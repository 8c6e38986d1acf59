# SPDX-License-Identifier: Apache-2.0
"""cupy, whose arrays lie in memory of devices."""

from __future__ import annotations

import re
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING

from clara_fastio.doctor.finding import absent, ok, warning
from clara_fastio.doctor.processes import ProgramError, ask_child

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clara_fastio.devices import Capabilities
    from clara_fastio.doctor.finding import Finding

_TIMEOUT = 50.0
_OURS = re.compile(r"cupy(-cuda(\d+)x?|-rocm-.*)?", re.IGNORECASE)
_WANTED = "one cupy that fits the driver; without it mappings of devices are pointers"


def cupy(found: Capabilities) -> Iterator[Finding]:
    """Tell whether cupy is installed and fits the driver."""
    installed = {
        str(one.name): one.version
        for one in metadata.distributions()
        if _OURS.fullmatch(str(one.name))
    }
    if not installed and find_spec("cupy") is not None:
        installed["cupy"] = "of unknown origin"
    if not installed:
        major = found.driver_version[0] if found.available else 12
        yield absent(
            "cupy",
            "not installed",
            wanted=_WANTED,
            fix=f"pip install cupy-cuda{major}x"
            + ("" if found.available else ", once there is a device"),
        )
        return
    listed = ", ".join(f"{name} {version}" for name, version in sorted(installed.items()))
    reason = misfit(sorted(installed), found) or _cannot_be_imported()
    if not reason:
        yield ok("cupy", listed, installed=installed)
        return
    major = found.driver_version[0] if found.available else 12
    yield warning(
        "cupy",
        f"{listed}: {reason}",
        wanted=_WANTED,
        fix=f"pip uninstall {' '.join(sorted(installed))}; pip install cupy-cuda{major}x",
        installed=installed,
    )


def misfit(installed: list[str], found: Capabilities) -> str:
    """Say why distributions of cupy do not fit each other or the driver, or nothing."""
    if len(installed) > 1:
        return "they overwrite each other's files"
    named = _OURS.fullmatch(installed[0]) if installed else None
    if named is None or named[2] is None or not found.available:
        return ""
    # 12, but also 102 and 11 of older releases.
    built_for = int(named[2][:2])
    major = found.driver_version[0]
    return f"it needs a driver for CUDA {built_for}, this is {major}" if built_for > major else ""


def _cannot_be_imported() -> str:
    try:
        answer = ask_child("cupy", timeout=_TIMEOUT)
    except ProgramError as error:
        return f"importing it failed: {error}"
    return f"importing it failed: {answer['error']}: {answer['text']}" if "error" in answer else ""
