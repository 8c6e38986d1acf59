# SPDX-License-Identifier: Apache-2.0
"""B4: What does it cost to open another process's memory for the first time, by its size?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.gpu.benches.handover import pair
from bench.gpu.session import GIB, MIB
from bench.harness.findings import Findings
from bench.harness.sampling import Turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.gpu.session import Session
    from bench.harness.sampling import Sample
    from bench.harness.workers import Worker

MESSAGES = 100_000


class FirstOpen:
    """A producer makes memory, a consumer opens it, and both let go of it."""

    def __init__(self, maker: Worker, opener: Worker, nbytes: int) -> None:
        self._workers = maker, opener
        self._nbytes = nbytes
        self.pids = [opener.pid]

    def run(self, steps: int) -> Sample:
        """Open so many new pieces; only the opening is timed."""
        maker, opener = self._workers
        samples = []
        for _ in range(steps):
            maker.order(f"make-{self._nbytes}", 1)
            maker.result()
            opener.order("open", 1)
            samples.append(opener.result())
            opener.order("forget", 1)
            opener.result()
            maker.order("free", 1)
            maker.result()
        return samples[0]._replace(
            steps=steps,
            wall_ns=sum(sample.wall_ns for sample in samples),
            cpu_ns=sum(sample.cpu_ns for sample in samples),
        )


def measure(session: Session) -> Iterator[Findings]:
    """Open memory of several sizes in turns, then count what is opened while messages flow."""
    sizes = {"64 MiB": 64 * MIB, "2 GiB": 2 * GIB, "8 GiB": 8 * GIB}
    if session.is_smoke:
        sizes = {"64 MiB": 64 * MIB, "2 GiB": 66 * MIB, "8 GiB": 68 * MIB}
    twins: dict[str, FirstOpen] = {}
    for mechanism in ("vmm", "legacy"):
        environment = {"CLARA_FASTIO_CUDA_TRANSPORT": mechanism}
        name = session.context()
        maker, opener = session.ready(
            *(
                session.start("opening", role, name, environment=environment)
                for role in ("maker", "opener")
            )
        )
        for size, nbytes in sizes.items():
            twins[f"{mechanism}, {size}"] = FirstOpen(maker, opener, nbytes)
        if mechanism == "vmm":
            twins["vmm, 64 MiB, again"] = FirstOpen(maker, opener, sizes["64 MiB"])
    turns = session.measure(twins, steps=1, rounds=12)
    findings = Findings("First open of device memory", turns, "vmm, 64 MiB", unit="ms")
    ratios = findings.ratios("vmm, 8 GiB", "vmm, 64 MiB")
    findings.at_most("vmm: 8 GiB / 64 MiB", 2, wall=ratios["wall"])
    ratios = findings.ratios("legacy, 2 GiB", "vmm, 2 GiB")
    findings.at_least("2 GiB: legacy / vmm", 10, wall=ratios["wall"])
    yield findings
    yield opens_in_steady_state(session)


def opens_in_steady_state(session: Session) -> Findings:
    """Hand over a hundred thousand times; nothing may be opened meanwhile."""
    crew = pair(session, "handover", session.context(), 64 * MIB)
    messages = 100 if session.is_smoke else MESSAGES
    before = opens(crew)
    sample = crew.run(messages // 2)
    after = opens(crew)
    turns = Turns({"messages": crew}, samples={"messages": [sample]})
    turns.system_calls = {"messages": None}
    findings = Findings(f"Opens in {messages:,} messages", turns, "messages", unit="us")
    findings.at_most("opens", 0, wall=after - before)
    return findings


def opens(crew: object) -> int:
    """Add up what both sides have opened so far."""
    total = 0
    for worker in crew._workers:  # noqa: SLF001 - a question that only this bench has
        worker.order("opens", 1)
        total += worker.result().wall_ns
    return total
