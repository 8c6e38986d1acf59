# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from clara_fastio.doctor import limits


def examine_below(run_program, limit, check):
    """Run a check in a process that has set a limit, soft and hard."""
    program = """
        import dataclasses, json, resource, sys
        from clara_fastio.doctor import limits
        name, value, check = sys.argv[1:]
        resource.setrlimit(getattr(resource, name), (int(value), int(value)))
        print(*[json.dumps(dataclasses.asdict(one)) for one in getattr(limits, check)()])
    """
    return json.loads(run_program(program, *limit, check).read_line())


def test_few_descriptors_are_a_warning(run_program):
    found = examine_below(run_program, ("RLIMIT_NOFILE", 512), "open_files")
    assert found["state"] == "warning"
    assert found["details"] == {"soft": 512, "hard": 512}
    assert "--ulimit nofile" in found["fix"]


def test_soft_limit_is_raised_by_a_host(run_program):
    program = """
        import resource
        from clara_fastio.doctor import limits
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        print(*[one.found for one in limits.open_files()])
    """
    assert run_program(program).read_line().startswith("256, and ")


def test_locked_memory_is_told_whatever_it_is(run_program):
    found = examine_below(run_program, ("RLIMIT_MEMLOCK", 65536), "locked_memory")
    assert found["found"].startswith("64.0 KiB")
    assert found["details"] == {"limit": 65536}


@pytest.mark.parametrize(
    ("limit", "may_lock_all", "has_gpu", "state"),
    [
        (-1, False, True, "ok"),
        (1 << 40, False, True, "ok"),
        (65536, True, True, "ok"),
        (65536, False, False, "ok"),
        (65536, False, True, "warning"),
    ],
)
def test_little_locked_memory_is_a_warning_beside_a_gpu(limit, may_lock_all, has_gpu, state):
    found = limits.judge_locked(limit, may_lock_all=may_lock_all, has_gpu=has_gpu)
    assert found.state == state
    assert ("memlock" in found.fix) == (state == "warning")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Name:\tx\nCapEff:\t000001fffeffffff\n", True),
        ("CapEff:\t0000000000004000\n", True),
        ("CapEff:\t0000000000000000\n", False),
        ("Name:\tx\n", False),
    ],
)
def test_right_to_lock_memory_is_read_from_the_status(status, expected):
    assert limits.may_lock_all(status) is expected


def test_few_maps_are_a_warning():
    assert limits.judge_maps(65530).state == "ok"
    found = limits.judge_maps(1024)
    assert found.state == "warning"
    assert "vm.max_map_count" in found.fix


def test_maps_of_this_machine_are_counted():
    (found,) = limits.memory_maps()
    assert found.details["count"] > 0
