# SPDX-License-Identifier: Apache-2.0
"""Paths of a definition's files: whoever writes the files into a folder stays in it."""

from __future__ import annotations

import re

from clara_fastio.pipeline.files import is_rooted

_SEPARATOR = re.compile(r"[/\\]")  # Clients may run on other systems than the server.
_SHOWN = 80


def from_folder(paths: list[str]) -> list[str]:
    """Write paths relative to the folder of the main file, the first.

    The original's clients write them relative to where they run, as in ``../main.yaml``: the steps
    upwards that the first begins with are taken off all that begin with them.
    """
    parts = paths[0].split("/")
    steps = next((i for i, part in enumerate(parts) if part not in {".", ".."}), 0)
    upwards = "".join(f"{part}/" for part in parts[:steps])
    return [path.removeprefix(upwards) for path in paths]


def fault_of(path: str) -> str:
    """Say why a path is none for a file of a definition; empty if it is one.

    Parameters
    ----------
    path
        Relative to the folder of the main file.
    """
    shown = repr(path[:_SHOWN])
    parts = _SEPARATOR.split(path)
    if "\0" in path:
        return f"the path {shown} holds a NUL character"
    if is_rooted(path):
        return f"the path {shown} is rooted; one relative to the definition's folder is wanted"
    if ".." in parts:
        return f"the path {shown} leads upwards; files stay within the definition's folder"
    if parts[-1] in {"", "."}:
        return f"the path {shown} names a folder; a file is wanted"
    return ""
