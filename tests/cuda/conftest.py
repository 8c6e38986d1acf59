# SPDX-License-Identifier: Apache-2.0
"""A context that this process hosts without using a device, and processes that use one.

Every test names what it answers in the study (`../shared/design/gpu-memory.md`, 8.7) by the marker
``study``; what it finds out besides goes into ``record_property``, for the report of `make gpu`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import clara_fastio as fastio
from tests.helpers.processes import ROOT
from tests.ipc.peer import Peer

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The one reason to be skipped.
NO_DEVICE = "no device"

MISSING = (
    "there is a device, and cupy cannot be imported: {error}. Install it: "
    "pip install 'clara-fastio[cuda]', or cupy-cuda13x where the toolkit is that of CUDA 13"
)

#: Asked in another process: this one hosts contexts, and a host needs no driver.
LOOK = """
import dataclasses, json, warnings
import clara_fastio
found = dataclasses.asdict(clara_fastio.capabilities())
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import cupy
    found["cupy"] = ""
except ImportError as error:
    found["cupy"] = str(error) or type(error).__name__
print(json.dumps(found))
"""

PRELUDE = "import os, threading, time; from tests.cuda import gpu; gpu.warm(); cp = gpu.cp"


def look() -> dict[str, Any]:
    """Ask what this machine has."""
    environment = {**os.environ, "PYTHONPATH": python_path()}
    found = subprocess.run(
        [sys.executable, "-c", LOOK],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        env=environment,
    )
    return json.loads(found.stdout.splitlines()[-1])


def python_path() -> str:
    """Where other processes find these tests' modules."""
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "study(number): the test of the study that this answers")
    config.addinivalue_line("markers", "alone: disturbed by others on the same device")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip everything here where there is no device."""
    here = [item for item in items if item.path.is_relative_to(ROOT / "tests" / "cuda")]
    if not here:
        return
    config.stash[FOUND] = look()
    for item in here:
        item.add_marker(pytest.mark.cuda)
        if not config.stash[FOUND]["available"]:
            item.add_marker(pytest.mark.skip(reason=NO_DEVICE))
        if study := item.get_closest_marker("study"):
            item.user_properties.append(("study", study.args[0]))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Write each result down at once: `make gpu` may have to end this process."""
    outcome = yield
    path = os.environ.get("CLARA_FASTIO_TEST_PROGRESS")
    result = outcome.get_result()
    if path is None or (result.when != "call" and result.passed):
        return
    details = dict(item.user_properties)
    line = {
        "study": details.pop("study", ""),
        "name": item.nodeid.rpartition("/")[2],
        "outcome": result.outcome,
        "seconds": round(result.duration, 2),
        "details": details,
        "message": "" if result.passed else str(result.longrepr)[-1500:],
    }
    with Path(path).open("a") as file:
        file.write(json.dumps(line, default=repr) + "\n")


FOUND = pytest.StashKey[dict[str, Any]]()


@pytest.fixture
def capabilities(request):
    """What `clara_fastio.capabilities` says, as a dict."""
    return request.config.stash[FOUND]


@pytest.fixture(autouse=True)
def _cupy_is_there(capabilities):
    if capabilities["cupy"]:
        pytest.fail(MISSING.format(error=capabilities["cupy"]))


@pytest.fixture
def device(capabilities):
    """The first device, as a dict."""
    return capabilities["devices"][0]


@pytest.fixture
def context(context_name):
    """A context that this process hosts."""
    with fastio.create_context(context_name, capacity=1024) as context:
        yield context


@pytest.fixture
def start_peers(run_program, context):
    """Start processes that have ``context``, ``gpu`` and ``cp`` (cupy), all at the same time."""

    def start(number=1, *, environment=None, prelude=PRELUDE, is_attached=True, **options):
        environment = {"PYTHONPATH": python_path(), **(environment or {})}
        peers = [
            Peer(run_program, None, environment=environment, **{"timeout": 55, **options})
            for _ in range(number)
        ]
        for peer in peers:
            peer.start(prelude)
        for peer in peers:
            peer.result()
            if is_attached:
                peer.run(f"context = fastio.open_context({context.name!r})")
        return peers

    return start


@pytest.fixture
def pair(start_peers):
    """A producer and a consumer."""
    return start_peers(2)
