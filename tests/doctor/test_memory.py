# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from clara_fastio.doctor import memory
from clara_fastio.doctor.cgroup import levels, parse_limit, parse_memberships, parse_mounts

INFORMATION = "MemTotal:       16384000 kB\nMemFree: 1 kB\nMemAvailable:    8192000 kB\n"
GIB = 1 << 30


def write(root, files):
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_available_memory_is_told():
    found = memory.judge_available(INFORMATION)
    assert (found.state, found.found) == ("ok", "7.8 GiB of 15.6 GiB")


@pytest.mark.parametrize(
    "information", [INFORMATION.replace("8192000", "81920"), "MemTotal: 1 kB\n", ""]
)
def test_little_memory_or_none_known_is_a_warning(information):
    assert memory.judge_available(information).state == "warning"


def test_this_machine_has_memory():
    (found,) = memory.available()
    assert 0 < found.details["available"] <= found.details["total"]


def test_least_room_of_all_levels_counts(tmp_path):
    write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user.slice/job\n",
            "proc/self/mountinfo": "31 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            "sys/fs/cgroup/user.slice/memory.max": f"{3 * GIB}\n",
            "sys/fs/cgroup/user.slice/memory.current": f"{2 * GIB + GIB // 2}\n",
            "sys/fs/cgroup/user.slice/memory.stat": f"anon 5\ninactive_file {GIB // 4}\n",
            "sys/fs/cgroup/user.slice/job/memory.max": f"{2 * GIB}\n",
            "sys/fs/cgroup/user.slice/job/memory.current": "0\n",
        },
    )
    found = memory.judge_groups(tmp_path)
    assert found.state == "warning"
    assert found.found == ("768.0 MiB left of 3.0 GiB, by memory.max of cgroup v2 /user.slice")
    assert [level["place"] for level in found.details["levels"]] == [
        "cgroup v2 /user.slice/job",
        "cgroup v2 /user.slice",
    ]


def test_group_of_a_container_is_found_below_its_mount(tmp_path):
    write(
        tmp_path,
        {
            "proc/self/cgroup": "4:cpu:/docker/ab\n3:memory:/docker/ab/inner\n",
            "proc/self/mountinfo": (
                "35 31 0:31 /docker/ab /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup "
                "rw,memory\n36 31 0:32 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
            ),
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{4 * GIB}\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{GIB}\n",
            "sys/fs/cgroup/memory/inner/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/inner/memory.usage_in_bytes": "4096\n",
        },
    )
    (level,) = levels(tmp_path)
    assert (level.place, level.room) == ("cgroup v1 /docker/ab", 3 * GIB)
    assert memory.judge_groups(tmp_path).state == "ok"


def test_group_without_limit_is_ok(tmp_path):
    write(tmp_path, {"proc/self/cgroup": "0::/../x\n", "proc/self/mountinfo": "odd\n"})
    assert memory.judge_groups(tmp_path).found == "no limit at any level"


def test_memberships_are_those_that_count_memory():
    text = "9:name=systemd:/\n4:cpu,memory:/a:b\n0::/c\nodd\n"
    assert parse_memberships(text) == [(False, "/a:b"), (True, "/c")]


def test_mounts_may_have_blanks_in_their_paths():
    (mount,) = parse_mounts("1 2 0:3 / /my\\040groups rw shared:1 master:2 - cgroup2 none rw\n")
    assert mount == (True, "/", "/my groups")


@pytest.mark.parametrize(
    ("text", "limit"), [("max\n", None), ("", None), ("4096\n", 4096), (str(1 << 62), None)]
)
def test_limits_are_numbers(text, limit):
    assert parse_limit(text) == limit


@pytest.mark.parametrize(
    ("setting", "state"),
    [
        ("always within_size [advise] never deny force\n", "ok"),
        ("[always] within_size advise never deny force\n", "ok"),
        ("always within_size advise [never] deny force\n", "absent"),
        ("", "absent"),
    ],
)
def test_huge_pages_are_read_from_the_choice(setting, state):
    assert memory.judge_huge_pages(setting).state == state


def test_huge_pages_of_this_machine_are_told():
    (found,) = memory.huge_pages()
    assert found.state in {"ok", "absent"}
