# SPDX-License-Identifier: Apache-2.0
"""One stream whose consumers and producer are killed, and what must be true of it at the end."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from tests.kill.doomed import PATIENCE, Death, Doomed
from tests.kill.ledger import Ledger
from tests.kill.tally import LIMIT

if TYPE_CHECKING:
    import clara_fastio as fastio
    from clara_fastio.streams import EdgeInfo, StreamInfo
    from tests.kill.tally import Tally

PEER_DIED = 6
_POLICIES = {"block": 1, "drop_oldest": 2, "latest": 3, "sample": 4}


@dataclass
class Edge:
    """One edge, and those who consumed there."""

    name: str
    policy: str = "block"
    parameter: int = 1
    is_shared: bool = False
    #: Whether its only consumer is spared, and so must see every frame.
    is_spared: bool = False
    consumers: list[Consumer] = field(default_factory=list)
    kills: int = 0
    closings: int = 0

    @property
    def text(self) -> str:
        """As the producer takes it."""
        number = _POLICIES[self.policy]
        return f"{self.name}:{number}:{self.parameter}:{int(self.is_shared)}"


@dataclass
class Consumer:
    """A process that takes frames."""

    process: Doomed
    edge: Edge
    report: int
    is_spared: bool = False
    is_dead: bool = False


EDGES = (
    Edge("steady", is_spared=True),
    Edge("group", is_shared=True),
    Edge("restarted"),
    Edge("oldest", "drop_oldest"),
    Edge("latest", "latest"),
    Edge("sample", "sample", 3),
)
WORKERS = 3


class Stream:
    """A producer and its consumers, in processes of their own.

    One consumer of the edge ``steady`` and one of the group ``group`` are never killed, so no
    frame of these edges may be lost but what others held.
    """

    def __init__(
        self,
        context: fastio.Context,
        tally: Tally,
        names: tuple[str, ...],
        *,
        depth: int,
        spin: int = 0,
        pace: int = 0,
        producer_pace: int = 0,
        frames: int = 0,
        kill_point: str | None = None,
        stop_point: str | None = None,
    ) -> None:
        self._context = context
        self._tally = tally
        self._depth = depth
        self._pace = pace
        self._reports = 0
        #: Whether the producer is stopped, so that nobody can go on.
        self.is_held_up = False
        self.ledger = Ledger()
        chosen = [one for one in EDGES if one.name in names]
        self.edges = [
            Edge(one.name, one.policy, one.parameter, one.is_shared, one.is_spared)
            for one in chosen
        ]
        self.producer = self._start(
            "producer",
            kill_point,
            stop_point=stop_point,
            depth=depth,
            spin=spin,
            pace=producer_pace,
            frames=frames,
            edges=",".join(edge.text for edge in self.edges),
        )
        assert self.producer.wait_until_ready(), self.producer.errors
        self.variable = context["frames"]

    def start_consumers(self, *, without: str | None = None) -> None:
        """Start those that the stream is to have, on all edges or all but one."""
        for edge in self.edges:
            if edge.name == without:
                continue
            spared = [True] + [False] * (WORKERS - 1) if edge.is_shared else [edge.is_spared]
            for is_spared in spared:
                self.start_consumer(edge, is_spared=is_spared)

    def start_consumer(
        self, edge: Edge, *, is_spared: bool = False, kill_point: str | None = None, leave: int = 0
    ) -> Consumer:
        """Start one more on an edge; it may be killed, or leave after some frames."""
        report = self._reports
        self._reports += 1
        consumers = len(self.edges) + WORKERS - 1
        process = self._start(
            "consumer",
            kill_point,
            report=report,
            edge=self.edges.index(edge),
            name=edge.name,
            shared=int(edge.is_shared),
            whole=int(edge.is_spared),
            hold=min(3, (self._depth - 1) // consumers),
            pace=self._pace or (100 if edge.policy != "block" else 0),
            leave=leave,
        )
        consumer = Consumer(process, edge, report, is_spared)
        edge.consumers.append(consumer)
        if kill_point is None:
            ready = process.wait_until_ready()
            assert ready or leave, process.errors
        return consumer

    def _start(
        self, role: str, kill_point: str | None, *, stop_point: str | None = None, **options: object
    ) -> Doomed:
        return Doomed(
            "stream",
            self._context.name,
            role,
            self.ledger.path,
            "{state}",
            *(f"{key}={value}" for key, value in options.items()),
            kill_point=kill_point,
            stop_point=stop_point,
        )

    def victims(self) -> list[Consumer]:
        """Give all consumers that may be killed now."""
        return [
            one
            for edge in self.edges
            for one in edge.consumers
            if not (one.is_dead or one.is_spared or edge.is_spared)
        ]

    def kill(self, *victims: Consumer) -> None:
        """Kill consumers at this moment, see the others go on, and put new ones in their place."""
        for victim in victims:
            victim.process.kill()
        for victim in victims:
            self.bury(victim, f"random: {victim.edge.name}")
        for victim in victims:
            self.start_consumer(victim.edge)

    def bury(self, victim: Consumer, where: str, *, critical: bool = False) -> None:
        """Wait until a killed consumer's frames are back and the producer has gone on."""
        death = victim.process.wait_for_death()
        victim.is_dead = True
        if death.status == 0 and not where.startswith("frame."):
            return  # The stream was over before the signal came.
        assert death.was_killed, f"status {death.status}: {victim.process.errors}"
        victim.edge.kills += 1
        recovery = self._recover(death)
        if not any(not one.is_dead for one in victim.edge.consumers):
            victim.edge.closings += 1
        self._tally.count(where, critical=critical or death.was_critical, recovery=recovery)

    def wait_until_left(self, leaver: Consumer) -> None:
        """Wait for one that takes no more than it was told to."""
        death = leaver.process.wait_for_death()
        assert death.status == 0, leaver.process.errors
        leaver.is_dead = True
        leaver.edge.closings += not any(not one.is_dead for one in leaver.edge.consumers)

    def _recover(self, death: Death) -> float:
        before = self.ledger.committed
        while True:
            recovery = time.monotonic() - death.time
            if not self._is_named(death.pid) and self._goes_on(before):
                return recovery
            assert recovery <= LIMIT, f"after {recovery:.1f} s: {self.variable.stream}"
            time.sleep(0.0005)

    def go_on(self) -> None:
        """Let a producer that has stopped go on, and see that it does."""
        self.is_held_up = False
        before = self.ledger.committed
        since = time.monotonic()
        self.producer.go_on()
        while not self._goes_on(before):
            assert time.monotonic() - since <= LIMIT, f"it finds no slot: {self.variable.stream}"
            time.sleep(0.0005)

    def _is_named(self, pid: int) -> bool:
        if any(one.pid == pid for one in self._context.processes()):
            return True
        consumers = [one for edge in self.variable.stream.edges for one in edge.consumers]
        return any(one.pid == pid and (one.held or not one.has_left) for one in consumers)

    def _goes_on(self, before: int) -> bool:
        """Tell whether the producer has used every slot since, or cannot."""
        return (
            self.is_held_up
            or self.producer.has_ended()
            or self.ledger.committed > before + 2 * self._depth
        )

    def finish(self, *, kill: bool) -> StreamInfo:
        """End the producer, wait for its consumers, and look whether everything adds up."""
        if kill:
            self.producer.kill()
        else:
            self.ledger.stop()
        return self.end("random: producer" if kill else None)

    def end(self, where: str | None, *, critical: bool = False) -> StreamInfo:
        """Wait for all ends after that of the producer, then look whether everything adds up."""
        death = self.producer.wait_for_death()
        if where is None or (death.status == 0 and not where.startswith("frame.")):
            assert death.status == 0, self.producer.errors
            where = None
        else:
            assert death.was_killed, f"status {death.status}: {self.producer.errors}"
        last = death.time
        for edge in self.edges:
            for one in edge.consumers:
                if one.is_dead:
                    continue
                ended = one.process.wait_for_death()
                last = max(last, ended.time)
                one.is_dead = True
                expected = {0} if where is None else {0, PEER_DIED}
                assert ended.status in expected, f"status {ended.status}: {one.process.errors}"
        if where is not None:
            assert last - death.time <= LIMIT, "consumers were not told of the producer's death"
            self._tally.count(
                where, critical=critical or death.was_critical, recovery=last - death.time
            )
        self._wait_for_rest()
        info = self.variable.stream
        self._tally.frames += info.produced
        self._check(info, has_died=where is not None)
        return info

    def _wait_for_rest(self) -> None:
        """Wait until the host has repaired all that ended."""
        deadline = time.monotonic() + PATIENCE
        while len(self._context.processes()) > 1:
            assert time.monotonic() < deadline, "a process that has ended is still named"
            time.sleep(0.0005)

    def _check(self, info: StreamInfo, *, has_died: bool) -> None:
        committed = self.ledger.committed
        # Its last frame was complete, and maybe nobody counted it any more.
        assert committed <= info.produced <= committed + int(has_died), (committed, info)
        by_name = {edge.name: edge for edge in info.edges}
        for edge in self.edges:
            self._check_edge(edge, by_name[edge.name], info, has_died=has_died)

    def _check_edge(
        self, edge: Edge, counted: EdgeInfo, info: StreamInfo, *, has_died: bool
    ) -> None:
        what = f"{edge}\n{counted}\n{info}"
        seen = self.ledger.seen(self.edges.index(edge), info.produced + 1)
        assert counted.held == 0, what
        assert counted.offered == counted.accepted + counted.skipped, what
        rest = counted.dropped + counted.unread + counted.queued
        assert counted.accepted == counted.taken + rest, what
        assert counted.taken == counted.released + counted.lost, what
        # Who was killed between the take and its mark has taken one more than it says.
        marked = sum(self.ledger.taken(one.report) for one in edge.consumers)
        assert abs(int(seen.sum()) - marked) <= edge.kills, what
        assert marked <= counted.taken <= marked + edge.kills, (marked, what)
        held = sum(self.ledger.held(one.report) for one in edge.consumers)
        assert abs(counted.lost - held) <= edge.kills, (held, what)
        assert edge.kills or not counted.lost, what
        if edge.closings == 0:
            missing = info.produced - info.unclaimed - counted.offered
            assert 0 <= missing <= int(has_died), what
        if edge.policy == "block" and edge.closings == 0:
            assert counted.dropped == counted.unread == 0, what
            unseen = int((~seen[: counted.accepted]).sum())
            assert unseen <= edge.kills, (unseen, what)
        # Nobody is there any more, so nothing may keep a slot.
        assert counted.queued == 0, what
        if edge.policy == "block":
            # A producer that was held up takes back what nobody of a closed edge may read.
            assert counted.dropped <= edge.closings, what

    def close(self) -> None:
        """End what is left, and free the variable for the next stream."""
        self.producer.close()
        for edge in self.edges:
            for one in edge.consumers:
                one.process.close()
        self.variable.free()
        self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def some_edges() -> tuple[str, ...]:
    """Choose edges at random; the one that is spared is always there."""
    others = [one.name for one in EDGES if not one.is_spared]
    return ("steady", *random.sample(others, random.randint(1, 3)))
