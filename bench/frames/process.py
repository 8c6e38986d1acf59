# SPDX-License-Identifier: Apache-2.0
"""A process of a chain: it opens its ends, and does steps when it is told to."""

from __future__ import annotations

import contextlib
import gc
import os
import time
import traceback
from resource import RUSAGE_SELF, getrusage
from typing import TYPE_CHECKING, Any

from bench.frames import peer, stages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from bench.frames.plan import Plan


def main(plan: Plan, role: str, ends: dict[int, tuple[Any, Any]], orders: Connection) -> None:
    """Be a process of a chain.

    Parameters
    ----------
    ends
        For each size, what the receiver and what the sender is opened with, or None.
    """
    module = peer.load(plan.peer)
    settle(plan, role, is_pinned=module.IS_PINNED)
    own = module if hasattr(module, "make") else stages
    with told_of_failures(orders):
        opened = {}
        for nbytes, (incoming, outgoing) in ends.items():
            sender = None if outgoing is None else module.sender(outgoing, plan)
            receiver = None if incoming is None else module.receiver(incoming, plan)
            opened[nbytes] = receiver, sender
        take_orders(role, opened, orders, own)


def take_orders(
    role: str, opened: dict[int, tuple[Any, Any]], orders: Connection, own: Any = stages
) -> None:
    """Answer orders ``(case, nbytes, steps)`` until the order ``None``, then end the streams.

    Parameters
    ----------
    opened
        For each size a receiver and a sender, or None.
    own
        What stages are made and run by.
    """
    made = {nbytes: own.make(role, *ends, nbytes) for nbytes, ends in opened.items()}
    orders.send("ready")
    while (order := own.wait_for_order(orders)) is not None:
        case, nbytes, steps = order
        stage = made[nbytes]
        if case == "clock":
            orders.send(clocked_cost(own.repeat, stage, steps))
        else:
            orders.send(cost(own.repeat, getattr(stage, case), steps))
    for ends in opened.values():
        own.end(role, *ends)
    orders.send("over")
    own.close()


@contextlib.contextmanager
def told_of_failures(orders: Connection) -> Iterator[None]:
    """Tell the supervisor of whatever goes wrong."""
    try:
        yield
    except Exception:  # noqa: BLE001 - whatever it is
        orders.send(traceback.format_exc())


def settle(plan: Plan, role: str, *, is_pinned: bool) -> None:
    """Choose the processors of this process."""
    cpus = {plan.cpus[plan.roles.index(role)]} if is_pinned else set(plan.cpus)
    os.sched_setaffinity(0, cpus)
    gc.disable()


def clocked_cost(
    repeat: Callable[[Callable[[], Any], int], None], stage: Any, steps: int
) -> tuple[int, int, int, int]:
    """Do a step so many times; of the processor time, give what the operator's own code took."""
    before = stage.clocked.cpu_ns
    steps, wall_ns, _, sleeps = cost(repeat, stage.clock, steps)
    return steps, wall_ns, stage.clocked.cpu_ns - before, sleeps


def cost(
    repeat: Callable[[Callable[[], Any], int], None], step: Callable[[], Any], steps: int
) -> tuple[int, int, int, int]:
    """Do a step so many times; give the fields of a `Sample`."""
    sleeps = getrusage(RUSAGE_SELF).ru_nvcsw
    cpu = time.process_time_ns()
    wall = time.monotonic_ns()
    repeat(step, steps)
    wall_ns = time.monotonic_ns() - wall
    cpu_ns = time.process_time_ns() - cpu
    return steps, wall_ns, cpu_ns, getrusage(RUSAGE_SELF).ru_nvcsw - sleeps
