# SPDX-License-Identifier: Apache-2.0
"""What `clara run` needs to start operators: namespaces for processes, engines for containers."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.doctor import processes
from clara_fastio.doctor.finding import absent, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clara_fastio.doctor.finding import Finding

_TIMEOUT = 15.0
_HERE = Path(__file__).resolve().parent
# The runner's own probe. It is run and not imported, because the runner needs more than numpy.
_LAUNCHER = _HERE.parent / "runner" / "runtimes" / "launcher.py"
_ALONE = (sys.executable, "-I", "-S")

_PERMIT = (
    "permit it: sysctl kernel.unprivileged_userns_clone=1 (Debian), "
    "kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), user.max_user_namespaces above 0; "
    "in a container, --cap-add=SYS_ADMIN, or a seccomp profile that allows unshare and mount"
)


def declared_paths() -> Iterator[Finding]:
    """Try, as the runner does, to show folders at declared paths such as ``/input``."""
    name = "declared paths"
    with tempfile.TemporaryDirectory(prefix="clara-doctor-") as folder:
        ended = processes.run([*_ALONE, str(_LAUNCHER), "--probe", folder], _TIMEOUT)
    if ended.code == 0:
        yield ok(name, "operators that are processes see their folders at paths such as /input")
        return
    yield warning(
        name,
        f"mount namespaces are refused: {_reason(ended)}",
        wanted="operators that are processes see their folders at paths such as /input",
        fix=f"{_PERMIT}; without it operators read NVIDIA_CLARA_INPUTPATHS and "
        "NVIDIA_CLARA_OUTPUTPATHS",
    )


def user_namespaces() -> Iterator[Finding]:
    """Try to make a user namespace."""
    name = "user namespaces"
    ended = processes.run([*_ALONE, str(_HERE / "user_namespace.py")], _TIMEOUT)
    if ended.code == 0:
        yield ok(name, "permitted")
        return
    yield warning(
        name,
        f"refused: {_reason(ended)}",
        wanted="they give operators mounts without root's rights, and podman works by them",
        fix=_PERMIT,
    )


def podman() -> Iterator[Finding]:
    """Look for podman, which runs operators in containers."""
    yield _engine(
        "podman",
        "{{.Client.Version}}",
        "run 'podman info' and mend what it says; without root it needs user namespaces and "
        "entries of yours in /etc/subuid and /etc/subgid",
    )


def docker() -> Iterator[Finding]:
    """Look for docker, which runs operators in containers."""
    yield _engine(
        "docker",
        "{{.Server.Version}}",
        "start its daemon ('systemctl start docker'), and become a member of the group 'docker' "
        "or use its rootless mode; DOCKER_HOST, if set, has to name the daemon",
    )


def _engine(program: str, form: str, fix: str) -> Finding:
    path = shutil.which(program)
    if path is None:
        return absent(
            program,
            "not on the PATH",
            wanted=f"{program}, for clara run --runtime {program} only",
            fix=f"install {program} if operators are to run in its containers",
        )
    ended = processes.run([path, "version", "--format", form], _TIMEOUT)
    version = ended.output.strip()
    if ended.code == 0:
        return ok(program, f"{version}, {path}", path=path, version=version)
    return warning(
        program,
        f"{path} does not answer: {_reason(ended)}",
        wanted=f"an answer to '{program} version', for clara run --runtime {program} only",
        fix=fix,
        path=path,
    )


def _reason(ended: processes.Ended) -> str:
    """Give what a program said when it failed, or how it ended."""
    said = (ended.errors.strip() or ended.output.strip()).splitlines()
    return said[-1].strip() if said and ended.code is not None else ended.describe()
