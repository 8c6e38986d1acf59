# SPDX-License-Identifier: Apache-2.0
"""Python, this library and the kernel."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.doctor.finding import absent, ok, problem, warning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clara_fastio.doctor.finding import Finding

# Python names neither; linux/fcntl.h and linux/memfd.h do.
_F_SEAL_FUTURE_WRITE = 0x0010
_MFD_NOEXEC_SEAL = 0x0008

#: The first that tells the end of a process through a descriptor.
_OLDEST_KERNEL = (5, 3)
_FOLDER = Path(__file__).resolve().parents[1]


def python() -> Iterator[Finding]:
    """Tell which Python runs."""
    version = platform.python_version()
    yield ok("Python", f"{version}, {sys.executable}", version=version, path=sys.executable)


def package() -> Iterator[Finding]:
    """Tell which version of this library is installed, and where."""
    version = metadata.version("clara-fastio")
    yield ok("clara-fastio", f"{version}, {_FOLDER}", version=version, path=str(_FOLDER))


def core_library() -> Iterator[Finding]:
    """Tell which C++ library the modules have loaded; it must be the one beside them."""
    paths = libraries(Path("/proc/self/maps").read_text(errors="replace"))
    name, found = "core library", ", ".join(paths) or "none is loaded"
    if len(paths) == 1 and Path(paths[0]).is_relative_to(_FOLDER):
        yield ok(name, found, paths=paths)
    else:
        yield warning(
            name,
            found,
            wanted=f"one, below {_FOLDER}",
            fix="unset LD_LIBRARY_PATH and LD_PRELOAD, or install clara-fastio anew",
            paths=paths,
        )


def libraries(maps: str) -> list[str]:
    """Give the paths of our C++ library in the text of ``/proc/<pid>/maps``."""
    fields = (line.split(maxsplit=5) for line in maps.splitlines())
    paths = {field[5] for field in fields if len(field) == 6}
    return sorted(path for path in paths if "/libclara_fastio" in path)


def kernel() -> Iterator[Finding]:
    """Tell which kernel runs."""
    release = platform.release()
    found = f"{platform.system()} {release}"
    if is_kernel_new_enough(release):
        yield ok("kernel", found, release=release)
    else:
        yield problem(
            "kernel",
            found,
            wanted="Linux 5.3 or newer",
            fix="run on a newer kernel; a container has that of its machine",
            release=release,
        )


def is_kernel_new_enough(release: str) -> bool:
    """Compare the numbers that a release begins with; true where it begins with none."""
    numbers = re.match(r"(\d+)\.(\d+)", release)
    return numbers is None or (int(numbers[1]), int(numbers[2])) >= _OLDEST_KERNEL


def sealed_memory() -> Iterator[Finding]:
    """Make memory that others cannot write, and try to write it as others would."""
    name, what = "sealed memory", "F_SEAL_FUTURE_WRITE"
    broken = _try_seal()
    if not broken:
        yield ok(name, f"{what} works: one process writes, all others only read")
        return
    yield problem(
        name,
        f"{what} does not work: {broken}",
        wanted="memory that only its producer can write",
        fix="run on a kernel of Linux, 5.3 or newer, itself; some sandboxes that stand between "
        "programs and it, such as gVisor, do not know this seal",
    )


def memory_without_execution() -> Iterator[Finding]:
    """Make memory that can never be executed."""
    name = "memory without execution"
    try:
        os.close(os.memfd_create("clara-doctor", os.MFD_CLOEXEC | _MFD_NOEXEC_SEAL))
    except OSError as error:
        yield absent(
            name,
            f"MFD_NOEXEC_SEAL is not known ({error.strerror})",
            wanted="shared memory that no process can execute",
            fix="Linux 6.3 or newer has it; everything works without it",
        )
    else:
        yield ok(name, "MFD_NOEXEC_SEAL works")


def _try_seal() -> str:
    """Say what went wrong, or nothing."""
    try:
        memory = os.memfd_create("clara-doctor", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError as error:
        return f"memfd_create: {error.strerror}"
    try:
        os.ftruncate(memory, mmap.PAGESIZE)
        with mmap.mmap(memory, mmap.PAGESIZE) as producer:
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | _F_SEAL_FUTURE_WRITE
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
            producer[0] = 7
            for how, attempt in _ATTEMPTS.items():
                with contextlib.suppress(PermissionError):
                    attempt(memory)
                    return f"{how} is not refused"
            with mmap.mmap(memory, mmap.PAGESIZE, prot=mmap.PROT_READ) as reader:
                return "" if reader[0] == 7 else "readers do not see what the producer writes"
    except OSError as error:
        return error.strerror or str(error)
    finally:
        os.close(memory)


def _map_anew(memory: int) -> None:
    mmap.mmap(memory, mmap.PAGESIZE).close()


def _open_anew(memory: int) -> None:
    again = os.open(f"/proc/self/fd/{memory}", os.O_RDWR | os.O_CLOEXEC)
    try:
        _map_anew(again)
    finally:
        os.close(again)


_ATTEMPTS: dict[str, Callable[[int], object]] = {
    "mapping it for writing": _map_anew,
    "writing to its descriptor": lambda memory: os.pwrite(memory, b"x", 0),
    "opening it anew and mapping that": _open_anew,
}
