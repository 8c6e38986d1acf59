# SPDX-License-Identifier: Apache-2.0
"""Hosts that are killed while they serve streams: both ends of each are told within a second."""

from __future__ import annotations

import pytest

from tests.helpers import leaks
from tests.kill.doomed import HOST_DIED, Doomed
from tests.kill.ledger import Ledger
from tests.kill.tally import LIMIT

#: Consumers that come and go, after which a host must have got to where it is to be killed.
ENOUGH_CONSUMERS = 100


@pytest.fixture
def ledger():
    made = Ledger()
    yield made
    made.close()


@pytest.fixture
def start(context_name, ledger):
    """Start one end of the stream; all are ended by the end of the test."""
    started = []

    def begin(role, **options):
        arguments = (f"{key}={value}" for key, value in {**options, "host_dies": 1}.items())
        process = Doomed("stream", context_name, role, ledger.path, "{state}", *arguments)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.close()


def test_both_ends_are_told_of_the_death_of_the_host_at(
    stream_host_point, host_passes, context_name, start, tally
):
    for number in host_passes:
        _kill_host(stream_host_point, number, context_name, start, tally)


def _kill_host(stream_host_point, number, context_name, start, tally):
    held = leaks.held_by_this_run()
    with Doomed("host", context_name, kill_point=f"{stream_host_point}:{number}") as host:
        assert host.wait_until_ready(), host.errors
        alive = [start("producer", depth=8, edges="steady:1:1:0,group:1:1:1")]
        if alive[0].wait_until_ready():
            alive += [
                start("consumer", name="steady", edge=0, report=0, whole=1),
                start("consumer", name="group", edge=1, report=1, shared=1),
            ]
            _come_and_go(host, start)
        death = host.wait_for_death()
        assert death.was_killed, f"{stream_host_point} was not passed {number} times"
        ends = [one.wait_for_death() for one in alive]
        for one, end in zip(alive, ends, strict=True):
            is_told = end.status == HOST_DIED or "no process of this user hosts" in one.errors
            assert is_told, f"status {end.status}: {one.errors}"
        recovery = max(end.time for end in ends) - death.time
        assert recovery <= LIMIT
        tally.count(stream_host_point, critical=True, recovery=recovery)
    left = leaks.wait_until_given_back(held)
    assert not left, f"a dead context is still held: {left}"


def _come_and_go(host, start):
    """Let consumers subscribe, leave and die until the host is dead."""
    for number in range(ENOUGH_CONSUMERS):
        if host.has_ended():
            return
        edge = 2 + number % 2
        options = {"name": f"edge {edge}", "edge": edge, "report": 2 + number}
        if number % 2:
            start("consumer", **options, leave=20).wait_for_death()
        else:
            doomed = start("consumer", **options)
            if doomed.wait_until_ready():
                doomed.kill()
            doomed.wait_for_death()
