# SPDX-License-Identifier: Apache-2.0
"""The plain client as a shell of the other one: threads, iteration, interruption."""

from __future__ import annotations

import asyncio
import inspect
import signal
import threading

import pytest

from clara_fastio.platform.client import aio, sync
from clara_fastio.platform.client.background import Shell, blocking, iterating
from tests.platform.client.definitions import SLEEP


class Numbers:
    """Yields numbers, and says when it was closed."""

    def __init__(self):
        self.is_closed = False

    async def count(self, limit, *, fail_at=-1, pause_every=1000):
        try:
            for number in range(limit):
                if number == fail_at:
                    raise ValueError(f"no {number}")
                if number % pause_every == pause_every - 1:
                    await asyncio.sleep(0)
                yield number
        finally:
            self.is_closed = True

    async def thread(self):
        return threading.current_thread().name


class PlainNumbers(Shell[Numbers]):
    count = iterating(Numbers.count)
    thread = blocking(Numbers.thread)


@pytest.fixture
def numbers():
    return PlainNumbers(Numbers())


@pytest.mark.parametrize("pause_every", [1, 7, 10_000])
def test_all_items_come_in_their_order(numbers, pause_every):
    assert list(numbers.count(5_000, pause_every=pause_every)) == list(range(5_000))
    assert numbers.inner.is_closed


def test_an_iteration_that_is_left_early_is_closed(numbers):
    items = numbers.count(1_000_000)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    items.close()
    assert numbers.inner.is_closed


@pytest.mark.parametrize("fail_at", [0, 3, 1024, 1025])
def test_an_error_comes_after_the_items_before_it(numbers, fail_at):
    seen = []
    with pytest.raises(ValueError, match=f"no {fail_at}"):
        seen.extend(each for each in numbers.count(5_000, fail_at=fail_at) if seen.append(each))
    assert seen == list(range(fail_at))


def test_coroutines_run_in_one_thread_that_is_not_the_caller_s(numbers):
    found = {numbers.thread(), PlainNumbers(Numbers()).thread()}
    assert len(found) == 1
    assert threading.current_thread().name not in found


@pytest.mark.parametrize("noun", ["pipelines", "jobs", "payloads", "server"])
def test_the_plain_client_has_every_method_and_its_words(noun):
    plain, other = sync.Client("localhost"), aio.AsyncClient("localhost")

    def methods(client):
        members = inspect.getmembers(getattr(client, noun), inspect.ismethod)
        return {name: method for name, method in members if not name.startswith("_")}

    mine, theirs = methods(plain), methods(other)
    assert set(mine) == set(theirs)
    for name, method in mine.items():
        assert method.__doc__ == theirs[name].__doc__
        assert inspect.signature(method).parameters == inspect.signature(theirs[name]).parameters
    plain.close()


WAITING = """
    import sys
    from clara_fastio.platform import Client
    with Client(sys.argv[1]) as client:
        pipeline = client.pipelines.create({"main.yaml": sys.argv[2]})
        job = client.jobs.create(pipeline, "waiting")
        client.jobs.start(job.id)
        try:
            print("waiting", flush=True)
            client.jobs.wait(job.id)
        except KeyboardInterrupt:
            print(client.jobs.cancel(job.id, "enough").id == job.id, flush=True)
    """


def test_ctrl_c_ends_a_wait_and_the_client_can_still_be_used(shared_server, run_program):
    program = run_program(WAITING, shared_server.address, SLEEP)
    program.expect("waiting")
    program.signal(signal.SIGINT)
    program.expect("True")
    program.wait()


CARELESS = """
    import sys
    from clara_fastio.platform import Client
    client = Client(sys.argv[1])
    samples = client.server.watch_utilization()
    print(next(samples), flush=True)
    """


def test_a_program_ends_although_it_has_closed_nothing(shared_server, run_program):
    program = run_program(CARELESS, shared_server.address)
    assert program.read_line().startswith("()")
    assert program.wait() == 0, program.errors
