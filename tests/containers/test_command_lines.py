# SPDX-License-Identifier: Apache-2.0
"""What the engines are told; needs none of them."""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from clara_fastio.errors import PipelineError
from clara_fastio.runner.runtimes.devices import Devices, device_names
from clara_fastio.runner.runtimes.docker import Docker
from clara_fastio.runner.runtimes.engine import Container, Mount
from clara_fastio.runner.runtimes.podman import Podman

if TYPE_CHECKING:
    from pathlib import Path

    from clara_fastio.runner.runtimes.engine import Engine

PLAIN = Container(
    name="n", labels={"a": "b"}, image="some/image", arguments=["x", "-y"], cpu=1, memory=512
)

both = pytest.mark.parametrize("engine", [Podman(), Docker()], ids=["podman", "docker"])


@both
def test_a_container_is_run_without_more_than_it_needs(engine: Engine) -> None:
    command = engine.run(PLAIN)
    assert command[:2] == [engine.program, "run"]
    assert command[-3:] == ["some/image", "x", "-y"]
    assert {"--rm", "--init", "--pull=never", "--cap-drop=all", "--name=n"} <= set(command)
    assert {"--cpus=1", "--memory=512000000b", "--label=a=b"} <= set(command)
    assert not [part for part in command if part.startswith(("--ipc", "--shm", "--privileged"))]


@both
def test_the_user_is_the_one_of_this_process(engine: Engine) -> None:
    assert f"--user={os.geteuid()}:{os.getegid()}" in engine.run(PLAIN)
    rootless = type(engine)()
    rootless.is_rootless = True
    assert "--user=0:0" in rootless.run(PLAIN)


@both
def test_more_cores_than_there_are_become_all(engine: Engine) -> None:
    assert f"--cpus={os.cpu_count()}" in engine.run(replace(PLAIN, cpu=100_000))


@both
def test_values_of_variables_do_not_stand_in_the_command(engine: Engine) -> None:
    container = replace(PLAIN, environment={"PASSWORD": "secret", "TEXT": "two\nlines"})
    assert {"--env=PASSWORD", "--env=TEXT"} <= set(engine.run(container))
    assert container.client_environment == container.environment


@both
@pytest.mark.parametrize("name", ["PATH", "DOCKER_HOST", "https_proxy", "CONTAINERS_CONF", "HOME"])
def test_what_the_client_would_act_on_is_given_by_value(engine: Engine, name: str) -> None:
    container = replace(PLAIN, environment={name: "value"})
    assert f"--env={name}=value" in engine.run(container)
    assert container.client_environment == {}


@both
def test_an_entry_point_goes_before_the_image(engine: Engine) -> None:
    command = engine.run(replace(PLAIN, entry_point="python"))
    assert command[-4:] == ["--entrypoint=python", "some/image", "x", "-y"]


@pytest.mark.parametrize("path", ["/plain", "/a, b", '/a "b"', "/a:b", "/a=b"])
def test_a_mount_may_have_any_path(path: str) -> None:
    option = Mount(path, "/in", is_read_only=True).option()
    assert next(csv.reader([option])) == ["type=bind", f"source={path}", "target=/in", "readonly"]


def test_devices_are_named_as_the_engine_knows_them() -> None:
    container = replace(PLAIN, devices=["1", "2"])
    podman = Podman().run(container)
    assert {"--device=nvidia.com/gpu=1", "--device=nvidia.com/gpu=2"} <= set(podman)
    assert '--gpus="device=1,2"' in Docker().run(container)
    assert not [part for part in Docker().run(PLAIN) if "gpu" in part]


def test_devices_go_to_operators_in_turns(tmp_path: Path) -> None:
    for name in ("0000:01:00.0", "0000:02:00.0", "0000:03:00.0"):
        (tmp_path / name).mkdir()
    devices = Devices(device_names({}, tmp_path))
    assert [devices.take(count) for count in (1, 0, 1, 2)] == [["0"], [], ["1"], ["2", "0"]]
    with pytest.raises(PipelineError, match="requests 4 GPUs, and 3 can be used"):
        devices.take(4)


def test_only_visible_devices_are_used() -> None:
    assert Devices(device_names({"CUDA_VISIBLE_DEVICES": "GPU-7, 3"})).take(2) == ["GPU-7", "3"]
    with pytest.raises(PipelineError):
        Devices(device_names({"CUDA_VISIBLE_DEVICES": ""})).take(1)
