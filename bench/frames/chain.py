# SPDX-License-Identifier: Apache-2.0
"""A chain of processes as its supervisor sees it: it gives orders, and adds up what they cost."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from multiprocessing import connection
from typing import TYPE_CHECKING, Any

from bench.frames import peer, process
from bench.frames.plan import EDGES, PATIENCE, ROLES
from bench.harness.sampling import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection

    from bench.frames.plan import Plan


class Chain:
    """Processes that are told what to do over connections.

    Parameters
    ----------
    orders
        A connection to each process.
    pids
        The processes that take orders.
    daemons
        Other processes that the peer needs, whose processor time counts as well.
    """

    def __init__(
        self, orders: Sequence[Connection], pids: Sequence[int], daemons: Sequence[int] = ()
    ) -> None:
        self._orders = orders
        self._daemons = daemons
        self.pids = [*pids, *daemons]

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Wait until all take orders."""
        self._answers(seconds)

    def run(self, case: str, nbytes: int, steps: int) -> Sample:
        """Let all do so many steps at the same time."""
        before = self._daemon_ns()
        for orders in self._orders:
            orders.send((case, nbytes, steps))
        samples = [Sample(*answer) for answer in self._answers(3 * PATIENCE)]
        return Sample(
            steps,
            max(sample.wall_ns for sample in samples),
            sum(sample.cpu_ns for sample in samples) + self._daemon_ns() - before,
            sum(sample.sleeps for sample in samples),
        )

    def finish(self) -> None:
        """Let every stream end, and see that every process saw it."""
        for orders in self._orders:
            orders.send(None)
        self._answers(2 * PATIENCE)

    def _daemon_ns(self) -> int:
        return sum(processor_ns(pid) for pid in self._daemons)

    def _answers(self, seconds: float) -> list[Any]:
        """Wait for an answer of each process, and no longer once one has failed."""
        answers = {}
        deadline = time.monotonic() + seconds
        while len(answers) < len(self._orders):
            waiting = [orders for orders in self._orders if orders not in answers]
            ready = connection.wait(waiting, max(0, deadline - time.monotonic()))
            if not ready:
                raise RuntimeError(f"a process did not answer within {seconds:g} s")
            for orders in ready:
                answers[orders] = _receive(orders)
        return [answers[orders] for orders in self._orders]


def _receive(orders: Connection) -> Any:
    try:
        answer = orders.recv()
    except (EOFError, ConnectionResetError):
        raise RuntimeError("a process ended by itself") from None
    if isinstance(answer, str) and answer not in {"ready", "over"}:
        raise RuntimeError(answer.strip())  # A traceback; its last line says what it was.
    return answer


def processor_ns(pid: int) -> int:
    """Give the processor time that a process of this machine has used so far."""
    # What clock_getcpuclockid(3) computes; Python offers it for threads only.
    return time.clock_gettime_ns((~pid << 3) | 2)


@contextlib.contextmanager
def spawned(plan: Plan, daemons: Sequence[int] = ()) -> Iterator[Chain]:
    """Start a process for each role, joined by edges that the peer's module makes."""
    module = peer.load(plan.peer)
    context = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        edges = {
            nbytes: [stack.enter_context(module.edge(nbytes, plan)) for _ in range(EDGES)]
            for nbytes in plan.sizes
        }
        orders, processes = [], []
        stack.callback(_end, processes)
        for role, (incoming, outgoing) in ROLES[plan.kind].items():
            ends = {
                nbytes: (
                    None if incoming is None else made[incoming][1],
                    None if outgoing is None else made[outgoing][0],
                )
                for nbytes, made in edges.items()
            }
            ours, theirs = context.Pipe()
            started = context.Process(target=process.main, args=(plan, role, ends, theirs))
            started.start()
            theirs.close()
            orders.append(ours)
            processes.append(started)
        yield Chain(orders, [one.pid for one in processes], daemons)


def _end(processes: Sequence[multiprocessing.Process]) -> None:
    for one in processes:
        one.join(2)
        if one.is_alive():
            one.kill()
            one.join()
