# SPDX-License-Identifier: Apache-2.0
"""B2 and B3: How soon does the consumer's kernel follow, and what does the order cost the hosts?

The producer's kernel of a millisecond writes down the device's time at its end, the consumer's next
kernel at its start. Both are given to the device at once, so the consumer waits there.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from bench.gpu.session import PROCESSORS
from bench.harness.findings import Findings
from bench.harness.sampling import Sample, Turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.gpu.session import Session
    from bench.harness.workers import Worker

ORDERS = ("timeline", "events", "synchronize")
ONE, EVENTS = "two streams of one process", "bare interprocess event"
STEPS = 20


class Reaction:
    """One way to order two kernels; it knows both what the device and what the hosts took."""

    def __init__(self, *workers: Worker) -> None:
        self._workers = workers
        self.pids = [worker.pid for worker in workers]
        self.host = Sample(1, 0, 0, 0)

    def run(self, steps: int) -> Sample:
        """Let all do so many steps, and compare what they wrote down."""
        for worker in self._workers:
            worker.order("react", steps)
        answers = [json.loads(worker._read()) for worker in self._workers]  # noqa: SLF001 - lists
        ends = answers[0]["ends"]
        starts = answers[-1]["starts"]
        latency = sum(max(0, start - end) for end, start in zip(ends, starts, strict=True))
        self.host = Sample(
            steps,
            max(1, sum(answer["host_ns"] for answer in answers)),
            max(1, sum(answer["cpu_ns"] for answer in answers)),
            0,
        )
        return Sample(steps, max(1, latency), self.host.cpu_ns, 0)


def start_all(session: Session) -> dict[str, Reaction]:
    """Start every way."""
    ways = {ONE: Reaction(*session.ready(session.start("reaction", "one", "-", "-")))}
    for name in (EVENTS, f"{EVENTS}, again"):
        (to_second, from_first), (to_first, from_second) = os.pipe(), os.pipe()
        workers = [
            session.start(
                "reaction", "first-event", to_first, from_first, pass_fds=[to_first, from_first]
            ),
            session.start(
                "reaction",
                "second-event",
                to_second,
                from_second,
                pass_fds=[to_second, from_second],
            ),
        ]
        ways[name] = Reaction(*session.ready(*workers))
    for order in ORDERS:
        name = session.context()
        environment = {"CLARA_FASTIO_CUDA_SYNC": order}
        workers = [
            session.start("reaction", role, name, cpu, environment=environment)
            for role, cpu in zip(("first", "second"), PROCESSORS, strict=False)
        ]
        ways[f"clara_fastio, {order}"] = Reaction(*session.ready(*workers))
    return ways


def measure(session: Session) -> Iterator[Findings]:
    """Let each way take its turns; one run answers both questions."""
    ways = start_all(session)
    device, host = Turns(ways), Turns(ways)
    steps = 2 if session.is_smoke else STEPS
    session.begin()
    for number in range(20):
        one_round(device, host, steps)
        if number and not session.has_time():
            break
    for turns in (device, host):
        turns.system_calls = dict.fromkeys(ways)
    timeline, events, synchronize = (f"clara_fastio, {order}" for order in ORDERS)

    findings = Findings(
        "From the end of one kernel to the start of the next", device, EVENTS, unit="us"
    )
    for name in (timeline, events):
        findings.at_most(f"{name} / {EVENTS}", 1.1, wall=device.ratio(name, EVENTS).median)
    findings.at_most(f"{timeline} / {ONE} (under MPS)", 2, wall=device.ratio(timeline, ONE).median)
    yield findings

    findings = Findings("Host time of a hand-over, kernels of 1 ms", host, timeline, unit="us")
    findings.at_most(f"{timeline} / {events}", 1, wall=host.ratio(timeline, events).median)
    for name in (timeline, events):
        ratio = host.ratio(synchronize, name).median
        findings.at_least(f"{synchronize} / {name}", 5, wall=ratio)
    yield findings


def one_round(device: Turns, host: Turns, steps: int) -> None:
    """Give each way its turn, in an order that changes from round to round."""
    names = list(device.twins)
    shift = len(device.samples.get(names[0], ())) % len(names)
    for name in names[shift:] + names[:shift]:
        way = device.twins[name]
        device.samples.setdefault(name, []).append(way.run(steps))
        host.samples.setdefault(name, []).append(way.host)
