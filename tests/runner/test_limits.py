# SPDX-License-Identifier: Apache-2.0
"""Time limits of jobs and operators, and the grace time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clara_fastio.runner import OperatorState, RunStatus

if TYPE_CHECKING:
    from tests.helpers.workshop import Workshop

SLOW = """
    api-version: 1.0.0
    name: slow
    {limit}
    operators:
    - name: quick
      container: {{image: a, command: <quick>}}
    - name: slow
      container: {{image: a, command: <slow>}}
      after: [quick]
      {own}
    """


@pytest.fixture
def slow(workshop: Workshop) -> Workshop:
    workshop.shell("quick", "true")
    workshop.shell("slow", "exec sleep 1000")
    return workshop


@pytest.mark.parametrize(
    ("limit", "setting"), [("timeout: 1", None), ("", 1.0), ("timeout: 900", 1)]
)
def test_job_ends_at_its_time_limit(slow: Workshop, limit: str, setting: float | None) -> None:
    result = slow.run(SLOW.format(limit=limit, own=""), timeout=setting)
    assert result.status is RunStatus.TIMED_OUT
    assert result.failure is not None
    assert "time limit of 1 s" in result.failure.message
    assert "slow (execute)" in result.failure.message
    assert result.seconds >= 1
    assert [each.state for each in result.operators] == [
        OperatorState.COMPLETED,
        OperatorState.STOPPED,
    ]


def test_operator_ends_at_its_own_time_limit(slow: Workshop) -> None:
    result = slow.run(SLOW.format(limit="", own="timeout: 1"))
    assert result.status is RunStatus.TIMED_OUT
    assert result.failure is not None
    assert (result.failure.operator, result.failure.phase) == ("slow", "execute")
    assert "time limit of 1 s" in result.failure.message


def test_what_ignores_the_polite_signal_is_killed_after_the_grace_time(workshop: Workshop) -> None:
    workshop.shell("quick", "true")
    workshop.shell("slow", "trap '' TERM; echo deaf; while true; do sleep 1; done")
    result = workshop.run(SLOW.format(limit="", own="timeout: 1"), grace=0.5)
    assert workshop.log("slow").startswith("deaf\n")
    assert result.operators[1].exit_code == -9
    assert result.status is RunStatus.TIMED_OUT


def test_an_operator_may_clean_up_when_it_is_asked_to_stop(workshop: Workshop) -> None:
    workshop.shell("quick", "true")
    workshop.shell(
        "slow", "trap 'echo tidy > /out/x; exit 1' TERM; echo; while true; do sleep 0.1; done"
    )
    workshop.run(
        SLOW.format(
            limit="",
            own="timeout: 1\n      output: [{name: o, path: /out, type: stream, element-type: x}]",
        )
    )
    assert workshop.result("slow", "o", "x") == "tidy\n"
