# SPDX-License-Identifier: Apache-2.0
"""What this machine has of what a run needs, and where the package is built and imported from."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

from bench.harness.workers import ROOT

#: Packages that were brought along, for a machine that reaches no index; see `make gpu-wheels`.
WHEELS = ROOT / "build" / "wheels"
SITE = ROOT / "build" / "gpu" / "site"
TWINS = ROOT / "build" / "gpu" / "twins"

TOOLS = ("c++", "cmake", "ninja")
#: By the name that is imported, with the name that is installed.
TO_BUILD = {
    "scikit_build_core": "scikit-build-core",
    "Cython": "cython",
    "cython_cmake": "cython-cmake",
    "numpy": "numpy",
}
TO_TEST = {"pytest": "pytest", "pytest_timeout": "pytest-timeout", "cupy": "cupy-cuda12x"}
TO_SHOW = {
    "ruamel.yaml": "ruamel.yaml",
    "typer": "typer",
    "rich": "rich",
    "psutil": "psutil",
    "nibabel": "nibabel",
    "nilearn": "nilearn",
    "scipy": "scipy",
    "matplotlib": "matplotlib",
}
VERSIONS = (
    *("numpy", "cython", "pytest", "cupy-cuda12x", "cupy-cuda13x", "torch", "numba"),
    *("numba-cuda", "jax", "ml-dtypes"),
)


@dataclass
class Surroundings:
    """What was found, and what was not; `reasons` say what cannot be done for that."""

    environment: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    can_build: bool = True
    can_test: bool = True
    can_show: bool = True


def look() -> Surroundings:
    """Bring in wheels that lie ready, then look for everything."""
    SITE.mkdir(parents=True, exist_ok=True)
    found = Surroundings(environment=environment())
    wheels = sorted(WHEELS.glob("*.whl"))
    if wheels:
        install(found, [str(wheel) for wheel in wheels])
    found.missing = [f"{tool} (a program)" for tool in TOOLS if not shutil.which(tool)]
    found.can_build = not found.missing
    for packages, flag in ((TO_BUILD, "can_build"), (TO_TEST, "can_test"), (TO_SHOW, "can_show")):
        for module, package in packages.items():
            if not is_there(module):
                found.missing.append(f"{package} (a package)")
                setattr(found, flag, False)
    return found


def environment() -> dict[str, str]:
    """Give the environment in which everything runs: with the package, and with what it needs."""
    path = [str(SITE), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path),
        "PATH": os.pathsep.join((str(SITE / "bin"), os.environ.get("PATH", ""))),
        "PYTHONUNBUFFERED": "1",
    }


def install(found: Surroundings, what: list[str]) -> bool:
    """Have pip install into the folder of this run; no index is asked, so that none has to be."""
    options = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--no-compile")
    command = [sys.executable, "-m", "pip", "install", *options, "--upgrade", "--target", str(SITE)]
    return succeeds(found, [*command, *what], 300)


def build(found: Surroundings) -> bool:
    """Build the package and the twins in C++; the twins may be absent."""
    begin = time.monotonic()
    if not install(found, [str(ROOT)]):
        return False
    TWINS.mkdir(parents=True, exist_ok=True)
    library = SITE / "clara_fastio" / "_core"
    source = ROOT / "bench" / "gpu" / "twins"
    common = ["c++", "-std=c++20", "-O2", f"-I{ROOT / 'cpp' / 'bench'}", "-pthread"]
    for twin, more in {
        "futex_driver_cpp": ["-ldl"],
        "handover_cpp": [
            f"-I{ROOT / 'cpp' / 'include'}",
            f"-L{library}",
            f"-Wl,-rpath,{library}",
            "-lclara_fastio",
        ],
    }.items():
        command = [*common, str(source / f"{twin}.cpp"), "-o", str(TWINS / twin), *more]
        succeeds(found, command, 60)
    found.log.append(f"built within {time.monotonic() - begin:.0f} s")
    return True


def succeeds(found: Surroundings, command: list[str], seconds: float) -> bool:
    """Run a command; keep the end of what it says when it fails."""
    log = SITE.parent / "build.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=found.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
    if status != 0:
        said = log.read_text(errors="replace")[-3000:]
        found.log.append(f"{' '.join(command)}\nended with {status} ({seconds:g} s)\n{said}")
    return status == 0


def is_there(module: str) -> bool:
    """Whether a module can be found, among what was brought along too."""
    if str(SITE) not in sys.path:
        sys.path.insert(0, str(SITE))
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def versions() -> dict[str, str]:
    """Name the versions of what is measured, and of what measures."""
    found = {"Python": sys.version.split()[0]}
    for package in VERSIONS:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "absent"
    return found
