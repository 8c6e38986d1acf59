# SPDX-License-Identifier: Apache-2.0
"""Hosts that are killed while others work on device memory: everybody is told, no stream waits."""

from __future__ import annotations

import contextlib
import random

import pytest

from tests.kill import points
from tests.kill.devices import SETTLED, SHORT, way
from tests.kill.doomed import HOST_DIED, Doomed
from tests.kill.tally import LIMIT

LONGEST_LIFE = 0.3
WORKERS = ("reader", "producer", "everything", "writer")


class HostArena(contextlib.ExitStack):
    """A host that is to be killed, and processes that work in its context."""

    def __init__(self, context_name, tally, chosen, *, kill_point=None):
        super().__init__()
        self._name = context_name
        self._tally = tally
        self._way = chosen
        self._workers = []
        self.host = self.enter_context(Doomed("host", context_name, kill_point=kill_point))
        assert self.host.wait_until_ready(), self.host.errors

    def start(self, *roles):
        for role in roles:
            worker = self.enter_context(
                Doomed(
                    "device",
                    self._name,
                    role,
                    "{state}",
                    1_000_000,
                    SHORT,
                    environment=self._way.environment(),
                )
            )
            worker.wait_until_ready()
            self._workers.append(worker)

    def end(self, where, *, critical=False):
        """See that everybody is told, once nothing is left to be done on their streams."""
        death = self.host.wait_for_death()
        assert death.was_killed, self.host.errors
        last = death.time
        for worker in self._workers:
            ended = worker.wait_for_death()
            is_told = ended.status == HOST_DIED or "no process of this user" in worker.errors
            assert is_told, f"status {ended.status}: {worker.errors}"
            last = max(last, ended.time)
        assert last - death.time <= LIMIT
        self._tally.count(where, critical=critical, recovery=last - death.time)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_everybody_is_told_of_the_death_of_a_host_at(
    device_host_point, number, context_name, tally
):
    chosen = way(number, is_shared=device_host_point in points.MAKING)
    kill_point = f"{device_host_point}:{number}"
    with HostArena(context_name, tally, chosen, kill_point=kill_point) as arena:
        arena.start("keeper", *WORKERS)
        arena.end(device_host_point, critical=device_host_point in points.CRITICAL)


@pytest.mark.parametrize("chosen", SETTLED, ids=str)
def test_everybody_is_told_of_the_random_death_of_a_host(chosen, context_name, tally):
    with HostArena(context_name, tally, chosen) as arena:
        arena.start("keeper", *WORKERS[:2])
        arena.host.kill_after(random.uniform(0, LONGEST_LIFE))
        arena.end("random: host of devices")
