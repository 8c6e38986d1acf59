# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from clara_fastio.doctor import surroundings


@pytest.mark.parametrize(
    ("mark", "kind"), [(".dockerenv", "docker"), ("run/.containerenv", "podman")]
)
def test_containers_are_known_by_their_files(tmp_path, mark, kind):
    (tmp_path / mark).parent.mkdir(exist_ok=True)
    (tmp_path / mark).touch()
    assert surroundings.container_kind(tmp_path, {}) == (kind, f"/{mark}")


@pytest.mark.parametrize(
    ("environment", "kind"),
    [({"container": "lxc"}, "lxc"), ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes")],
)
def test_containers_are_known_by_their_variables(tmp_path, environment, kind):
    assert surroundings.container_kind(tmp_path, environment)[0] == kind


@pytest.mark.parametrize(
    ("group", "kind"),
    [
        ("0::/system.slice/docker-ab12.scope", "docker"),
        ("4:memory:/kubepods/besteffort/pod1", "kubepods"),
        ("0::/user.slice/user-1000.slice", ""),
    ],
)
def test_containers_are_known_by_their_groups(tmp_path, group, kind):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"{group}\n")
    assert surroundings.container_kind(tmp_path, {})[0] == kind


def test_machine_without_signs_is_no_container(tmp_path):
    assert surroundings.container_kind(tmp_path, {}) == ("", "")


@pytest.mark.parametrize(
    ("link", "pid", "state", "own"),
    [
        ("pid:[4026531836]", 1, "ok", False),
        ("pid:[4026532999]", 17, "ok", True),
        ("pid:[4026532999]", 1, "warning", True),
    ],
)
def test_first_process_of_a_container_is_a_warning(link, pid, state, own):
    found = surroundings.judge_namespace(link, pid)
    assert (found.state, found.details["own"]) == (state, own)


def test_this_process_is_somewhere():
    assert [one.state for one in surroundings.container()] == ["ok"]
    assert [one.name for one in surroundings.process_namespace()] == ["process namespace"]
