# SPDX-License-Identifier: Apache-2.0
"""A server whose operators are to run in containers starts only where the engine works."""

from __future__ import annotations

import shutil

import pytest


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_an_engine_that_is_not_there_is_told_at_the_start(serve, tmp_path, engine):
    with pytest.raises(RuntimeError) as failure:
        serve("--runtime", engine, environment={"PATH": str(tmp_path)})
    said = str(failure.value)
    assert f"--runtime {engine} cannot be used" in said
    assert f"install {engine} or make it work" in said
    assert not (tmp_path / "root").exists()


@pytest.mark.skipif(shutil.which("docker") is None, reason="there is no docker here")
def test_an_engine_without_its_daemon_is_told_at_the_start(serve, tmp_path):
    with pytest.raises(RuntimeError, match="cannot be used: docker does not work here"):
        serve("--runtime", "docker", environment={"DOCKER_HOST": f"unix://{tmp_path}/none"})


@pytest.mark.skipif(shutil.which("podman") is None, reason="there is no podman here")
def test_an_engine_that_works_is_taken(serve):
    assert serve("--runtime", "podman").address
