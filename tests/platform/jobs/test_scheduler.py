# SPDX-License-Identifier: Apache-2.0
"""Which jobs may start."""

from __future__ import annotations

import pytest

from clara_fastio.errors import OutOfMemoryError, PreconditionError
from clara_fastio.pipeline import load_definition
from clara_fastio.platform.jobs.capacity import Resources, machine_resources, needs_of
from clara_fastio.platform.jobs.scheduler import Scheduler, Ticket
from clara_fastio.platform.records.states import JobPriority

MACHINE = Resources(cpu=4, gpu=1, memory=4000)


def ticket(name: str, priority: JobPriority = JobPriority.NORMAL, **needs: int) -> Ticket:
    return Ticket(name, priority, Resources(**needs))


def take_all(scheduler: Scheduler) -> list[str]:
    return [taken.job_id for taken in iter(scheduler.take, None)]


def test_jobs_start_while_there_are_slots() -> None:
    scheduler = Scheduler(MACHINE, slots=2)
    for name in "abc":
        scheduler.put(ticket(name))
    assert take_all(scheduler) == ["a", "b"]
    scheduler.release("a")
    assert take_all(scheduler) == ["c"]


@pytest.mark.parametrize("kind", ["cpu", "gpu", "memory"])
def test_a_job_waits_for_all_that_it_requests(kind: str) -> None:
    scheduler = Scheduler(MACHINE, slots=9)
    amount = getattr(MACHINE, kind)
    scheduler.put(ticket("first", **{kind: amount}))
    scheduler.put(ticket("second", **{kind: 1}))
    assert take_all(scheduler) == ["first"]
    scheduler.release("first")
    assert take_all(scheduler) == ["second"]
    scheduler.release("second")
    assert scheduler.free == MACHINE


def test_a_large_job_is_not_passed_by() -> None:
    scheduler = Scheduler(MACHINE, slots=9)
    scheduler.put(ticket("small", cpu=1))
    assert take_all(scheduler) == ["small"]
    scheduler.put(ticket("large", cpu=4))
    scheduler.put(ticket("other", JobPriority.HIGHER, cpu=1))
    scheduler.put(ticket("tiny", cpu=1))
    while scheduler.queue.peek().job_id != "large":
        scheduler.release(scheduler.take().job_id)
    assert take_all(scheduler) == []
    scheduler.release("small")
    assert take_all(scheduler) == ["large"]


def test_only_immediate_jobs_pass_one_that_waits() -> None:
    scheduler = Scheduler(MACHINE, slots=9)
    scheduler.put(ticket("running", cpu=3))
    assert take_all(scheduler) == ["running"]
    scheduler.put(ticket("large", cpu=4))
    assert take_all(scheduler) == []
    scheduler.put(ticket("now", JobPriority.IMMEDIATE, cpu=1))
    assert take_all(scheduler) == ["now"]


def test_an_immediate_job_that_waits_lets_nobody_pass() -> None:
    scheduler = Scheduler(MACHINE, slots=9)
    scheduler.put(ticket("running", cpu=3))
    assert take_all(scheduler) == ["running"]
    scheduler.put(ticket("now", JobPriority.IMMEDIATE, cpu=2))
    scheduler.put(ticket("small", cpu=1))
    assert take_all(scheduler) == []


def test_a_job_that_could_not_start_is_next_again() -> None:
    scheduler = Scheduler(MACHINE, slots=1)
    scheduler.put(ticket("a"))
    scheduler.put(ticket("b"))
    taken = scheduler.take()
    scheduler.put_back(taken)
    assert scheduler.take() == taken


def pipeline(*requests: str) -> object:
    operators = "".join(
        f"- name: operator-{number}\n  container: {{image: demo/x}}\n  requests: {text}\n"
        for number, text in enumerate(requests)
    )
    return load_definition(
        {"main.yaml": f"api-version: 0.4.0\nname: some\noperators:\n{operators}"}
    ).resolve()


def test_the_requests_of_all_operators_count() -> None:
    found = needs_of(pipeline("{cpu: 1, memory: 700}", "{cpu: 2, gpu: 1}"), MACHINE)
    assert found == Resources(cpu=3, gpu=1, memory=1212)


def test_more_cores_than_there_are_means_all_of_them() -> None:
    assert needs_of(pipeline("{cpu: 64, memory: 1}"), MACHINE).cpu == MACHINE.cpu


def test_more_memory_than_there_is_is_refused() -> None:
    with pytest.raises(OutOfMemoryError, match="5000 MB"):
        needs_of(pipeline("{memory: 5000}"), MACHINE)


def test_more_gpus_than_there_are_are_refused() -> None:
    with pytest.raises(PreconditionError, match="2 GPUs"):
        needs_of(pipeline("{gpu: 2}"), MACHINE)


def test_no_two_jobs_have_the_same_gpu() -> None:
    scheduler = Scheduler(Resources(gpu=3), slots=9, devices=["a", "b", "c"])
    for name, gpus in (("one", 1), ("two", 1), ("none", 0), ("large", 2)):
        scheduler.put(ticket(name, gpu=gpus))
    assert take_all(scheduler) == ["one", "two", "none"]
    assert [scheduler.devices_of(name) for name in ("one", "two", "none")] == [["a"], ["b"], []]
    scheduler.release("one")
    assert take_all(scheduler) == ["large"]
    assert scheduler.devices_of("large") == ["a", "c"]


def test_the_machine_has_something() -> None:
    found = machine_resources()
    assert found.cpu >= 1
    assert found.memory >= 100
