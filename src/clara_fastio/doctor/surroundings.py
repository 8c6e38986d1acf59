# SPDX-License-Identifier: Apache-2.0
"""Whether this process runs in a container, and which processes it can see."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.doctor.finding import ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clara_fastio.doctor.finding import Finding

#: The kernel's own number of the first namespace of processes (PROC_PID_INIT_INO).
_FIRST = "pid:[4026531836]"
#: What a driver puts there: on Linux, in WSL, on Tegra.
_DEVICE_FILES = ("/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-gpu")
_MARKS = {".dockerenv": "docker", "run/.containerenv": "podman"}
_GROUPS = re.compile(r"/(docker|kubepods|libpod|lxc|containerd|crio)[-/.]?")


def container() -> Iterator[Finding]:
    """Say whether this is a container."""
    kind, sign = container_kind(Path("/"), os.environ)
    if not kind:
        yield ok("container", "no sign of one", kind=None)
        return
    yield ok(
        "container",
        f"{kind} ({sign}); contexts are met by name only by processes of the same network "
        "namespace, others need the host's socket in CLARA_FASTIO_DIR or CLARA_FASTIO_SOCKET",
        kind=kind,
        sign=sign,
    )


def container_kind(root: Path, environment: Mapping[str, str]) -> tuple[str, str]:
    """Give the kind of the container, and by which sign it was known; empty when there is none.

    Parameters
    ----------
    root
        Where the signs are looked for; ``/`` but in tests.
    environment
        The variables of this process.
    """
    for mark, kind in _MARKS.items():
        if (root / mark).exists():
            return kind, f"/{mark}"
    if environment.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes", "KUBERNETES_SERVICE_HOST"
    if environment.get("container"):
        return environment["container"], "the variable 'container'"
    try:
        group = _GROUPS.search((root / "proc/self/cgroup").read_text(errors="replace"))
    except OSError:
        group = None
    return (group[1], "/proc/self/cgroup") if group else ("", "")


def has_device_files() -> bool:
    """Say whether the kernel, or who made this container, has put the files of a driver here."""
    return any(Path(file).exists() for file in _DEVICE_FILES)


def process_namespace() -> Iterator[Finding]:
    """Say whether this process sees the machine's processes, or those of a container."""
    yield judge_namespace(str(Path("/proc/self/ns/pid").readlink()), os.getpid())


def judge_namespace(link: str, pid: int) -> Finding:
    """Say what follows from the link ``/proc/self/ns/pid``, and from this process's number."""
    name = "process namespace"
    if link == _FIRST:
        return ok(name, "the machine's own", own=False)
    found = "one of its own, not the machine's"
    if pid != 1:
        return ok(name, found, own=True)
    # Two processes with the same number cannot open each other's memory by legacy handles.
    return warning(
        name,
        f"{found}, and this process is number 1 in it",
        wanted="another number: the first processes of two containers cannot share memory of a "
        "device by legacy handles",
        fix="start the container with --init; without a device, or where 'vmm' works, nothing is "
        "to be done",
        own=True,
    )
