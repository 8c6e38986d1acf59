# SPDX-License-Identifier: Apache-2.0
"""Hosts that are killed while they serve streams: both ends of each are told within a second."""

from __future__ import annotations

import contextlib

from tests.helpers import leaks
from tests.kill.doomed import HOST_DIED, Doomed
from tests.kill.ledger import Ledger
from tests.kill.tally import LIMIT

#: Consumers that come and go, after which a host must have got to where it is to be killed.
ENOUGH_CONSUMERS = 100


class Ends(contextlib.ExitStack):
    """The processes at the ends of one stream, all ended by the end of the block."""

    def __init__(self, context_name):
        super().__init__()
        self._context_name = context_name
        self._ledger = self.enter_context(contextlib.closing(Ledger()))

    def start(self, role, **options):
        """Start a producer or consumer that looks every tenth of a second who is alive."""
        arguments = (f"{key}={value}" for key, value in {**options, "host_dies": 1}.items())
        return self.enter_context(
            Doomed("stream", self._context_name, role, self._ledger.path, "{state}", *arguments)
        )


def test_both_ends_are_told_of_the_death_of_the_host_at(
    stream_host_point, host_passes, context_name, tally
):
    held = leaks.held_by_this_run()
    for number in host_passes:
        kill_point = f"{stream_host_point}:{number}"
        with (
            Doomed("host", context_name, kill_point=kill_point) as host,
            Ends(context_name) as ends,
        ):
            assert host.wait_until_ready(), host.errors
            recovery = _recovery_after(host, ends)
            tally.count(stream_host_point, critical=True, recovery=recovery)
    left = leaks.wait_until_given_back(held)
    assert not left, f"a dead context is still held: {left}"


def _recovery_after(host, ends):
    """Let a stream flow until the host is dead; return after how long all had been told."""
    alive = [ends.start("producer", depth=8, edges="steady:1:1:0,group:1:1:1")]
    if alive[0].wait_until_ready():
        alive += [
            ends.start("consumer", name="steady", edge=0, report=0, whole=1),
            ends.start("consumer", name="group", edge=1, report=1, shared=1),
        ]
        _come_and_go(host, ends)
    death = host.wait_for_death()
    assert death.was_killed, host.errors
    recovery = 0.0
    for one in alive:
        end = one.wait_for_death()
        is_told = end.status == HOST_DIED or "no process of this user hosts" in one.errors
        assert is_told, f"status {end.status}: {one.errors}"
        recovery = max(recovery, end.time - death.time)
    assert recovery <= LIMIT
    return recovery


def _come_and_go(host, ends):
    """Let consumers subscribe, leave and die until the host is dead."""
    for number in range(ENOUGH_CONSUMERS):
        if host.has_ended():
            return
        edge = 2 + number % 2
        options = {"name": f"edge {edge}", "edge": edge, "report": 2 + number}
        if number % 2:
            ends.start("consumer", **options, leave=20).wait_for_death()
        else:
            doomed = ends.start("consumer", **options)
            if doomed.wait_until_ready():
                doomed.kill()
            doomed.wait_for_death()
