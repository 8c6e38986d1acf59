# SPDX-License-Identifier: Apache-2.0
"""The environment of an operator, and the ``$(NAME)`` in its command."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clara_fastio.pipeline import Input, Output
from clara_fastio.pipeline.model import Placement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clara_fastio.runner.payload import DiskEntry

#: The folder with the module `clara`, for programs that were written for the original.
COMPATIBILITY = Path(__file__).resolve().parents[1] / "compat"

#: Set by the runner alone; what it inherited of these is about another job.
_OWN = re.compile(r"NVIDIA_CLARA_(INPUTPATHS|OUTPUTPATHS|JOB|STAGE|NOSYNCLOCK)|CLARA_FASTIO_")
#: How the library behaves, not which job it is in.
_INHERITED = {
    "CLARA_FASTIO_DEBUG",
    "CLARA_FASTIO_DIR",
    "CLARA_FASTIO_CUDA_DRIVER",
    "CLARA_FASTIO_CUDA_SYNC",
    "CLARA_FASTIO_CUDA_TRANSPORT",
}

#: What would end the name of a variable in a list, written as in URLs.
_ESCAPES = str.maketrans({sign: f"%{ord(sign):02X}" for sign in "%;="})

_REFERENCE = re.compile(r"(\$?)\$\(([^)]*)\)")


def base_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Give what every operator gets: the runner's own, without another job's variables.

    ``python`` is the runner's own interpreter, because that one has this library, and
    ``import clara`` finds the compatibility module.
    """
    found = {
        name: value
        for name, value in inherited.items()
        if name in _INHERITED or not _OWN.match(name)
    }
    _prepend(found, "PATH", str(Path(sys.executable).parent))
    _prepend(found, "PYTHONPATH", str(COMPATIBILITY))
    found.setdefault("PYTHONUNBUFFERED", "1")  # Lines are shown when they are written.
    return found


def path_list(entries: Sequence[DiskEntry], *, literal: bool) -> str:
    """Join disk entries as ``name:path;name:path``.

    Parameters
    ----------
    entries
        Inputs or outputs.
    literal
        Whether the declared paths are there; else the real folders are named.
    """
    return ";".join(f"{entry.name}:{entry.path if literal else entry.folder}" for entry in entries)


def declarations(entries: Sequence[tuple[Input | Output, str]]) -> str:
    """Write typed entries, each with the name of its variable, as the driver reads them."""
    return json.dumps([_declaration(entry, variable) for entry, variable in entries])


def _declaration(entry: Input | Output, variable: str) -> dict[str, Any]:
    return (
        _stream_of(entry)
        | _placement_of(entry)
        | {
            "name": entry.name,
            "variable": variable,
            "element_type": entry.element_type,
            "shape": list(entry.shape),
            "type": entry.type,
        }
    )


def _stream_of(entry: Input | Output) -> dict[str, Any]:
    if isinstance(entry, Output):
        return {} if entry.queue is None else {"queue": asdict(entry.queue)}
    if entry.edge is None:
        return {}
    return {
        "edge": {
            "name": entry.edge.name,
            "policy": entry.edge.policy,
            "is_shared": entry.edge.share is not None,
            "deadline": entry.edge.deadline,
        }
    }


def _placement_of(entry: Input | Output) -> dict[str, Any]:
    """Say where an output lies, to a driver that makes its memory itself; inputs are found."""
    if isinstance(entry, Input) or entry.placement == Placement():
        return {}
    return {"placement": asdict(entry.placement)}


def numbered_devices(outputs: Sequence[tuple[Output, str]]) -> str:
    """Join the devices that outputs name by number as ``variable=0;variable=1``.

    The numbers are those of the operator's own process. In the names of variables ``%``, ``;`` and
    ``=`` are written as ``%25``, ``%3B`` and ``%3D``.
    """
    return ";".join(
        f"{variable.translate(_ESCAPES)}={output.placement.device}"
        for output, variable in outputs
        if isinstance(output.placement.device, int)
    )


def expand(command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Replace ``$(NAME)`` by the variable's value.

    As in Kubernetes, ``$$(NAME)`` stands for the text ``$(NAME)``, and a name that is not set
    stays as it stands. Any other dollar sign is left to the program.
    """

    def value(match: re.Match[str]) -> str:
        escaped, name = match.groups()
        return match.group(0)[1:] if escaped else environment.get(name, match.group(0))

    return [_REFERENCE.sub(value, part) for part in command]


def _prepend(environment: dict[str, str], name: str, folder: str) -> None:
    rest = environment.get(name)
    environment[name] = f"{folder}{os.pathsep}{rest}" if rest else folder
