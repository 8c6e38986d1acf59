# SPDX-License-Identifier: Apache-2.0
"""Makes what the tests of containers need, once: ``python -m tests.containers.prepare``.

Everything lies below ``build/containers``: the storage of podman, its configuration that works on
this machine, and the image of all operators, made from Debian packages and the wheel of this tree.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.containers.docker_daemon import NoDaemonError, docker_daemon

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "containers"
#: Says how podman is to be called, or why it cannot be.
OUTCOME = FOLDER / "outcome.json"

BASE = "localhost/clara-fastio/base"
IMAGE = "localhost/clara-fastio/operators"
SERVER_IMAGE = "localhost/clara-fastio/server"
RECIPES = ROOT / "examples" / "containers"
_WANTED = ("numpy", "scipy", "nibabel", "matplotlib")
_SUITES = {"debian": "http://deb.debian.org/debian", "ubuntu": "http://archive.ubuntu.com/ubuntu"}

#: Tried in their order; a machine without CAP_SYS_RESOURCE may not raise limits.
_CONTAINERS = (
    "",
    '[engine]\nruntime = "runc"\n',
    """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
netns = "none"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
""",
)
_DRIVERS = ("overlay", "vfs")


def environment() -> dict[str, str]:
    """Give the variables that make podman use the folder."""
    return {
        "CONTAINERS_CONF": str(FOLDER / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(FOLDER / "storage.conf"),
    }


def run(
    *command: str | Path, check: bool = True, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command with this storage; without `check`, its errors belong to its output."""
    return subprocess.run(
        list(map(str, command)),
        check=check,
        text=True,
        stdout=subprocess.PIPE,
        stderr=None if check else subprocess.STDOUT,
        env={**os.environ, **environment(), **(more or {})},
    )


def configure() -> str:
    """Find settings with which podman runs a container; gives why there are none."""
    if shutil.which("podman") is None:
        return "podman is not installed"
    busybox = shutil.which("busybox")
    if busybox is None:
        return "busybox (static) is not installed, with which podman is tried"
    reasons = []
    for driver in _DRIVERS:
        (FOLDER / "storage.conf").write_text(
            f'[storage]\ndriver = "{driver}"\ngraphroot = "{FOLDER}/{driver}"\n'
            f'runroot = "{FOLDER}/run-{driver}"\n'
        )
        for text in _CONTAINERS:
            (FOLDER / "containers.conf").write_text(text)
            tried = _try(Path(busybox))
            if tried.returncode == 0:
                return ""
            reasons.append(tried.stdout.strip())
    return reasons[-1]


def _try(busybox: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in the smallest image."""
    small = FOLDER / "small"
    shutil.rmtree(small, ignore_errors=True)
    (small / "bin").mkdir(parents=True)
    shutil.copy2(busybox, small / "bin")
    archive = shutil.make_archive(str(small), "tar", small)
    imported = run("podman", "import", archive, "localhost/clara-fastio/small", check=False)
    if imported.returncode != 0:
        return imported
    return run(
        *("podman", "run", "--rm", "--init", "localhost/clara-fastio/small"),
        *("/bin/busybox", "true"),
        check=False,
    )


def make_base() -> None:
    """Import a root file system with Python, of the distribution that this machine runs."""
    if run("podman", "image", "exists", BASE, check=False).returncode == 0:
        return
    system = platform.freedesktop_os_release()
    tree = FOLDER / "base"
    shutil.rmtree(tree, ignore_errors=True)
    run(
        *("debootstrap", "--variant=minbase", "--include=python3,python3-venv"),
        system["VERSION_CODENAME"],
        *(tree, _SUITES[system["ID"]]),
    )
    for useless in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale"):
        shutil.rmtree(tree / useless, ignore_errors=True)
    archive = FOLDER / "base.tar"
    run("tar", "--create", "--file", archive, "--directory", tree, ".")
    run("podman", "import", archive, BASE)
    archive.unlink()
    shutil.rmtree(tree)


def make_wheels() -> Path:
    """Build this tree's wheel, and fetch once what the images need besides; gives the context."""
    context = FOLDER / "context"
    wheels = context / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    for old in wheels.glob("clara_fastio-*"):
        old.unlink()
    pip = (sys.executable, "-m", "pip")
    run(*pip, "wheel", "--quiet", "--no-build-isolation", "--no-deps", "-w", wheels, ROOT)
    if not list(wheels.glob("grpcio-*")):
        (own,) = wheels.glob("clara_fastio-*")
        run(*pip, "download", "--quiet", "--dest", wheels, f"{own}[server]", *_WANTED)
    (context / "requirements.txt").write_text("\n".join(["clara-fastio", *_WANTED]) + "\n")
    programs = context / "programs"
    shutil.rmtree(programs, ignore_errors=True)
    shutil.copytree(ROOT / "examples" / "brain", programs, ignore=shutil.ignore_patterns("__*"))
    return context


def make_image(context: Path, recipe: Path, name: str) -> None:
    """Build an image, unless it was made from the same wheel, programs and recipe."""
    digest = _digest([recipe, *sorted(context.rglob("clara_fastio*")), *context.glob("programs/*")])
    label = run(
        *("podman", "image", "inspect", "--format", '{{index .Labels "digest"}}', name),
        check=False,
    )
    if label.stdout.strip() == digest:
        return
    run(
        *("podman", "build", "--quiet", "--pull=never", "--layers=false", "--network=none"),
        *("--build-arg", f"BASE={BASE}", "--label", f"digest={digest}"),
        *("--file", recipe, "--tag", name, context),
    )
    run("podman", "image", "prune", "--force")


def load_into_docker() -> str:
    """Give docker the same image; gives why that is not possible."""
    try:
        with docker_daemon() as client:
            wanted = run("podman", "image", "inspect", "--format", "{{.Id}}", IMAGE).stdout.strip()
            loaded = FOLDER / "docker" / "image"
            if loaded.exists() and loaded.read_text() == wanted:
                return ""
            archive = FOLDER / "image.tar"
            run("podman", "save", "--output", archive, IMAGE)
            run("docker", "load", "--quiet", "--input", archive, more=client)
            archive.unlink()
            loaded.write_text(wanted)
    except NoDaemonError as error:
        return str(error)
    return ""


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def main() -> None:
    """Run as a program."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    OUTCOME.unlink(missing_ok=True)
    reasons = {"podman": configure(), "docker": "there is no image"}
    if not reasons["podman"]:
        make_base()
        context = make_wheels()
        make_image(context, RECIPES / "Containerfile.operator", IMAGE)
        make_image(context, RECIPES / "Containerfile.server", SERVER_IMAGE)
        reasons["docker"] = load_into_docker()
    OUTCOME.write_text(json.dumps(reasons) + "\n")
    for engine, reason in reasons.items():
        sys.stdout.write(f"{engine}: {f'not tested, {reason}' if reason else 'ready'}\n")


if __name__ == "__main__":
    main()
