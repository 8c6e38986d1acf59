# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clara_fastio.platform.jobs.queue import JobQueue
from clara_fastio.platform.records.states import JobPriority

LOWER, NORMAL, HIGHER, IMMEDIATE = JobPriority


@pytest.fixture
def queue() -> JobQueue[str]:
    return JobQueue()


def fill(queue: JobQueue[str], priority: JobPriority, count: int) -> None:
    for number in range(count):
        name = f"{priority.name}-{number}"
        queue.put(name, priority, name)


def test_a_priority_is_first_in_first_out(queue: JobQueue[str]) -> None:
    fill(queue, NORMAL, 5)
    assert [queue.take() for _ in range(5)] == [f"NORMAL-{number}" for number in range(5)]
    assert queue.peek() is None
    with pytest.raises(LookupError):
        queue.take()


def test_priorities_share_the_turns_by_weight(queue: JobQueue[str]) -> None:
    for priority in (LOWER, NORMAL, HIGHER):
        fill(queue, priority, 70)
    for _ in range(10):
        turns = Counter(queue.take().split("-")[0] for _ in range(7))
        assert turns == {"HIGHER": 4, "NORMAL": 2, "LOWER": 1}


def test_immediate_jobs_go_before_everything(queue: JobQueue[str]) -> None:
    fill(queue, HIGHER, 2)
    assert queue.peek() == "HIGHER-0"
    fill(queue, IMMEDIATE, 2)
    taken = [queue.take() for _ in range(4)]
    assert taken == ["IMMEDIATE-0", "IMMEDIATE-1", "HIGHER-0", "HIGHER-1"]


def test_a_turn_stays_until_it_is_used(queue: JobQueue[str]) -> None:
    fill(queue, LOWER, 1)
    assert queue.peek() == "LOWER-0"
    fill(queue, HIGHER, 3)
    assert [queue.peek() for _ in range(20)] == ["LOWER-0"] * 20
    assert queue.take() == "LOWER-0"


def test_a_removed_job_gives_up_its_turn(queue: JobQueue[str]) -> None:
    fill(queue, LOWER, 1)
    assert queue.peek() == "LOWER-0"
    fill(queue, NORMAL, 1)
    assert queue.remove("LOWER-0")
    assert not queue.remove("LOWER-0")
    assert queue.take() == "NORMAL-0"


def test_a_job_that_is_put_back_is_first_again(queue: JobQueue[str]) -> None:
    fill(queue, NORMAL, 3)
    first = queue.take()
    queue.put_back(first, NORMAL, first)
    assert [queue.take() for _ in range(3)] == ["NORMAL-0", "NORMAL-1", "NORMAL-2"]


def test_the_queue_says_how_long_it_is(queue: JobQueue[str]) -> None:
    fill(queue, LOWER, 2)
    fill(queue, IMMEDIATE, 1)
    assert queue.lengths() == {LOWER: 2, NORMAL: 0, HIGHER: 0, IMMEDIATE: 1}
    assert len(queue) == 3


@given(st.lists(st.sampled_from([*JobPriority, None]), max_size=60))
def test_every_job_is_taken_once_and_in_the_order_of_its_priority(
    steps: list[JobPriority | None],
) -> None:
    queue: JobQueue[tuple[JobPriority, int]] = JobQueue()
    taken = []
    for number, priority in enumerate(steps):
        if priority is not None:
            queue.put(str(number), priority, (priority, number))
        elif len(queue):
            taken.append(queue.take())
    taken += [queue.take() for _ in range(len(queue))]
    assert len(taken) == len(steps) - steps.count(None)
    for priority in JobPriority:
        numbers = [number for found, number in taken if found is priority]
        assert numbers == sorted(numbers)
