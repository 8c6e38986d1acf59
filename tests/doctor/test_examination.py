# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys

import pytest

from clara_fastio.doctor import Finding, State, examine, has_problem
from clara_fastio.doctor.examination import SECTIONS
from clara_fastio.doctor.finding import absent, format_bytes, ok, problem, warning


def fine():
    yield ok("fine", "as it should be", number=1)


def half_way():
    yield ok("first", "found")
    raise ValueError("the file is empty")


def test_findings_come_in_order_with_their_section():
    found = list(examine({"One": (fine, fine), "Two": (fine,)}))
    assert [(one.section, one.name) for one in found] == [
        ("One", "fine"),
        ("One", "fine"),
        ("Two", "fine"),
    ]
    assert found[0].details == {"number": 1}


def test_exception_in_a_check_is_a_finding_and_the_others_still_run():
    first, failed, last = examine({"One": (half_way, fine)})
    assert (first.name, last.name) == ("first", "fine")
    assert (failed.state, failed.name, failed.section) == (State.PROBLEM, "half way", "One")
    assert "ValueError: the file is empty" in failed.found
    assert failed.fix


def test_only_what_does_not_work_is_a_problem():
    advice = {"wanted": "more", "fix": "buy it"}
    good = [ok("a", "b"), warning("a", "b", **advice), absent("a", "b", **advice)]
    assert not has_problem(good)
    assert has_problem([*good, problem("a", "b", **advice)])


def test_finding_that_is_not_ok_says_what_to_do():
    with pytest.raises(ValueError, match="says what to do"):
        Finding(name="memory", state=State.WARNING, found="little")


def test_every_check_says_what_it_does():
    checks = [check for checks in SECTIONS.values() for check in checks]
    assert all(check.__doc__ for check in checks)
    assert len({check.__name__ for check in checks}) == len(checks)


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [(17, "17 B"), (1536, "1.5 KiB"), (3 << 30, "3.0 GiB"), (1 << 41, "2.0 TiB")],
)
def test_sizes_are_for_people(nbytes, text):
    assert format_bytes(nbytes) == text


def test_examination_needs_nothing_but_the_base_installation():
    program = (
        "import sys, clara_fastio.doctor; print(*{name.partition('.')[0] for name in sys.modules})"
    )
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
    assert not {"typer", "rich", "psutil", "ruamel", "cupy"} & set(loaded.split())
