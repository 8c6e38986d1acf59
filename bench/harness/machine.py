# SPDX-License-Identifier: Apache-2.0
"""What the figures of a run belong to: the machine, its settings, and the versions in play."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path

from bench.harness.system_calls import why_not_counted
from bench.harness.workers import CPUS, ROOT

PACKAGES = ("clara-fastio", "numpy", "cython", "tritonclient", "pytest-benchmark")

#: Versions of peers that have an environment of their own, filled in as they start.
PEERS: dict[str, str] = {}


def describe() -> dict[str, str]:
    """Describe this machine."""
    processors = Path("/proc/cpuinfo").read_text()
    release = platform.freedesktop_os_release()
    flags = processors.partition("flags")[2].partition("\n")[0].split()
    pages = Path("/sys/kernel/mm/transparent_hugepage")
    return {
        "processor": _field(processors, "model name") or platform.machine(),
        "processors": f"{os.cpu_count()}, used here: {' and '.join(map(str, sorted(set(CPUS))))}",
        "virtual": "yes" if "hypervisor" in flags else "no",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "system": release.get("PRETTY_NAME", "unknown"),
        "huge pages": f"private memory {_chosen(pages / 'enabled')}, "
        f"shared memory {_chosen(pages / 'shmem_enabled')}",
        "system calls": why_not_counted() or "counted by the trace point raw_syscalls:sys_enter",
    }


def versions() -> dict[str, str]:
    """Name the versions of everything that was measured or measures."""
    return {
        "commit": _commit(),
        "C library": " ".join(platform.libc_ver()),
        "compiler": _line("c++", "--version"),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        **{name: _version(name) for name in PACKAGES},
        **PEERS,
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _commit() -> str:
    commit = _line("git", "rev-parse", "--short=12", "HEAD")
    changed = _line("git", "status", "--porcelain", "--", "cpp", "src", "bench/*.py")
    return f"{commit}, with changes" if changed else commit


def _line(*command: str) -> str:
    try:
        found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.partition("\n")[0]


def _field(text: str, name: str) -> str:
    found = re.search(rf"^{name}\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else ""


def _chosen(path: Path) -> str:
    found = re.search(r"\[(\w+)\]", path.read_text()) if path.exists() else None
    return found[1] if found else "unknown"
