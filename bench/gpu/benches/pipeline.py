# SPDX-License-Identifier: Apache-2.0
"""B8: What does a frame cost on its way through three processes, beside one process and others?

Produce fills a frame, filter makes another one of it, reduce adds it up, each by a kernel. At most
four frames are in flight on an edge. Every twin runs the same kernels.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from bench.gpu.session import MIB, PROCESSORS
from bench.harness.findings import Findings
from bench.harness.sampling import TwinEndedError
from bench.harness.workers import Crew

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.gpu.session import Session
    from bench.harness.sampling import Twin
    from bench.harness.workers import Worker

ONE = "one process, three streams"
OURS = "clara_fastio, three processes"
HOST = "through host memory: copy out, hand over, copy in"
TORCH = "torch.multiprocessing queue"
ROLES = ("produce", "filter", "reduce")


def chain(session: Session, nbytes: int, memory: str) -> list[Worker]:
    """Start three processes whose frames lie on the device, or in the host's memory."""
    name = session.context()
    return [
        session.start("pipeline", role, name, nbytes, memory, cpu)
        for role, cpu in zip(ROLES, PROCESSORS, strict=True)
    ]


class Chain(Crew):
    """A crew whose end leaves it out of the table, instead of ending the bench."""

    def run(self, steps: int) -> object:
        """Do so many frames."""
        try:
            return super().run(steps)
        except (RuntimeError, TypeError, ValueError) as error:
            raise TwinEndedError(str(error)) from None


def ready(session: Session, crews: dict[str, list[Worker]], absent: list[str]) -> dict[str, Twin]:
    """Wait for all, which were started before since each imports for seconds."""
    twins: dict[str, Twin] = {}
    for name, crew in crews.items():
        try:
            twins[name] = Chain(session.ready(*crew), "run")
        except RuntimeError as error:
            absent.append(f"{name} ({error})")
    return twins


def measure(session: Session) -> Iterator[Findings]:
    """Measure each size with all twins in turns."""
    sizes = {"8 MiB": 8 * MIB, "128 MiB": 128 * MIB, "512 MiB": 512 * MIB}
    if session.is_smoke:
        sizes = {"8 MiB": MIB}
    for size, nbytes in sizes.items():
        absent = ["a shared-memory region of Triton (its server is not installed)"]
        crews = {
            ONE: [session.start("pipeline_one", nbytes)],
            f"{ONE}, again": [session.start("pipeline_one", nbytes)],
            OURS: chain(session, nbytes, "device"),
            HOST: chain(session, nbytes, "host"),
        }
        if importlib.util.find_spec("torch") is None:
            absent.append(f"{TORCH} (torch is not installed)")
        elif nbytes <= 8 * MIB:
            crews[TORCH] = [session.start("pipeline_torch", nbytes)]
        twins = ready(session, crews, absent)
        turns = session.measure(twins, block=0.25, rounds=12)
        findings = Findings(f"Three stages, frames of {size}", turns, ONE, unit="us", absent=absent)
        if OURS in turns.twins:
            ratio = findings.ratios(OURS, ONE)["wall"]
            findings.at_least(f"{size}: frames/s of {OURS} / {ONE}", 0.95, wall=1 / ratio)
        if {TORCH, OURS} <= set(turns.twins):
            ratio = findings.ratios(TORCH, OURS)["wall"]
            findings.at_least(f"{size}: frames/s of {OURS} / {TORCH}", 10, wall=ratio)
        yield findings
