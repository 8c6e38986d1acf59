# SPDX-License-Identifier: Apache-2.0
"""Hosts that are killed: everybody is told within a second, and the name is free at once."""

from __future__ import annotations

import random

import pytest

import clara_fastio as fastio
from tests.helpers import leaks
from tests.kill import points
from tests.kill.arena import PATIENCE, PROGRAMS, Talker
from tests.kill.doomed import HOST_DIED, Doomed
from tests.kill.tally import LIMIT

#: Deaths of clients after which a host must have got to where it is to be killed.
ENOUGH_VICTIMS = 200
LONGEST_LIFE = 0.006


class HostArena:
    """A survivor that opens the contexts of hosts which are killed one after another."""

    def __init__(self, name, run_program, tally):
        self.name = name
        self._tally = tally
        self._survivor = Talker(run_program(PROGRAMS / "host_survivor.py", timeout=PATIENCE))
        self._held = leaks.held_by_this_run()

    def kill_at(self, point, number):
        """Let a host work until it dies at a point."""
        with Doomed("host", self.name, kill_point=f"{point}:{number}") as host:
            if host.wait_until_ready():
                opened = self._survivor.ask("open", name=self.name)
                worker = Doomed.victim(self.name, "everything")
                with worker:
                    self._kill_clients_until_death_of(host)
                    assert host.has_ended(), f"{point} was not passed {number} times"
                    self._recover(point, host, [worker], opened, critical=point in points.CRITICAL)
            else:
                self._recover(point, host, [], None, critical=point in points.CRITICAL)

    def kill_at_random(self):
        """Kill a host at any moment while clients work."""
        with Doomed("host", self.name) as host:
            assert host.wait_until_ready(), host.errors
            opened = self._survivor.ask("open", name=self.name)
            with (
                Doomed.victim(self.name, "everything") as one,
                Doomed.victim(self.name, "everything") as other,
            ):
                one.wait_until_ready()
                host.kill_after(random.uniform(0, LONGEST_LIFE))
                self._recover("random: host", host, [one, other], opened, critical=False)

    def _kill_clients_until_death_of(self, host):
        for _ in range(ENOUGH_VICTIMS):
            if host.has_ended():
                return
            with Doomed.victim(self.name, "everything") as victim:
                if victim.wait_until_ready():
                    victim.kill_after(random.uniform(0, LONGEST_LIFE))

    def _recover(self, where, host, workers, opened, *, critical):
        death = host.wait_for_death()
        assert death.was_killed, host.errors
        assert self.name not in fastio.list_contexts()
        recovery = 0.0
        if opened is not None:
            answer = self._survivor.ask("died", since=death.time)
            recovery = answer["recovery"]
            if opened["opened"]:
                assert answer["waiters"] == 4
            else:
                recovery = max(recovery, opened["at"] - death.time)
        for worker in workers:
            recovery = max(recovery, self._end_of(worker) - death.time)
        assert recovery <= LIMIT
        self._tally.count(where, critical=critical, recovery=recovery)
        left = leaks.wait_until_given_back(self._held)
        assert not left, f"a dead context is still held: {left}"

    def _end_of(self, worker):
        """Wait for the end of a client that nobody kills: it must say that the host has died."""
        death = worker.wait_for_death()
        is_told = death.status == HOST_DIED or "no process of this user hosts" in worker.errors
        assert is_told, f"status {death.status}: {worker.errors}"
        return death.time


@pytest.fixture
def host_arena(context_name, run_program, tally):
    return HostArena(context_name, run_program, tally)


def test_everybody_is_told_of_the_death_of_a_host_at(host_point, host_arena, passes_per_point):
    for number in passes_per_point:
        host_arena.kill_at(host_point, number)


def test_everybody_is_told_of_the_random_death_of_a_host(host_arena, random_rounds):
    for _ in range(2 * random_rounds):
        host_arena.kill_at_random()


def test_host_that_is_asked_to_ends_well(context_name):
    with Doomed("host", context_name) as host:
        assert host.wait_until_ready(), host.errors
        assert context_name in fastio.list_contexts()
        assert host.finish() == 0
        assert context_name not in fastio.list_contexts()
