# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys

import pytest

from clara_fastio.doctor import operators


def install(folder, name, script):
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """The only folder of the path."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("check", [operators.podman, operators.docker])
def test_engine_that_is_not_there_is_absent(check):
    (found,) = check()
    assert (found.state, found.found) == ("absent", "not on the PATH")
    assert found.fix.startswith(f"install {check.__name__}")


@pytest.mark.parametrize("check", [operators.podman, operators.docker])
def test_engine_that_answers_is_ok(programs, check):
    install(programs, check.__name__, "echo 4.9.3")
    (found,) = check()
    assert (found.state, found.details["version"]) == ("ok", "4.9.3")


@pytest.mark.parametrize("check", [operators.podman, operators.docker])
def test_engine_that_does_not_answer_is_a_warning(programs, check):
    install(programs, check.__name__, "echo a hint >&2; echo no daemon there >&2; exit 125")
    (found,) = check()
    assert found.state == "warning"
    assert found.found.endswith("does not answer: no daemon there")


def test_engine_that_hangs_does_not_hold_up(programs, monkeypatch):
    monkeypatch.setattr(operators, "_TIMEOUT", 0.1)
    install(programs, "docker", "exec /bin/sleep 600")
    (found,) = operators.docker()
    assert found.state == "warning"
    assert "did not end within 0.1 s" in found.found


def test_paths_can_be_declared_where_the_runner_says_so():
    (found,) = operators.declared_paths()
    assert found.state in {"ok", "warning"}


PROGRAM = """
from clara_fastio.doctor import operators
for check in (operators.declared_paths, operators.user_namespaces):
    print(*[f"{one.state} {one.found}" for one in check()])
"""


def test_namespaces_that_are_refused_are_warnings():
    # In a user namespace of its own one may forbid further ones, for oneself only.
    forbid = (
        "echo 0 >/proc/sys/user/max_user_namespaces && echo 0 >/proc/sys/user/max_mnt_namespaces"
        ' && exec "$@"'
    )
    alone = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*alone, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("user namespaces are refused here already")
    command = [*alone, "sh", "-c", forbid, "sh", sys.executable, "-c", PROGRAM]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    paths, users = ended.stdout.splitlines()
    assert paths.startswith("warning mount namespaces are refused: making a mount namespace: ")
    assert users == "warning refused: No space left on device"
