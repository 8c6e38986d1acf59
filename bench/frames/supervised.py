# SPDX-License-Identifier: Apache-2.0
"""The peers as the benches see them: a worker for each chain of processes, or a reason why not."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

from bench.frames.plan import Plan
from bench.harness.sampling import Sample, TwinEndedError
from bench.harness.workers import CPUS, ROOT, Worker

#: An environment of their own, which `make peers` makes: most need half of the world.
ENVIRONMENT = Path(os.environ.get("CLARA_FASTIO_BENCH_PEERS", ROOT / "build" / "peers"))


class Entry(NamedTuple):
    """A peer in the tables.

    Parameters
    ----------
    module
        In `bench.frames.peers`.
    title
        Its name.
    handover, pipeline
        Which of its variants take part; an empty string stands for the only one there is.
    copies
        Pipelines of it that are measured side by side, where it is a matter of tenths.
    """

    module: str
    title: str
    handover: tuple[str, ...] = ("",)
    pipeline: tuple[str, ...] = ("",)
    copies: int = 1


OURS = Entry("clara_fastio", "clara_fastio", ("spinning", "blocking"), ("spinning", "blocking"), 3)
PEERS = (
    Entry("shared_memory", "multiprocessing.shared_memory + semaphores", copies=3),
    Entry("queue", "multiprocessing.Queue"),
    Entry("torch", "torch.multiprocessing", copies=3),
    Entry("triton", "tritonclient + pipe", copies=3),
    # Three processes that spin on two processors wait for each other's time slices.
    Entry("iceoryx2", "iceoryx2", ("polling", "events"), ("events",), 3),
    Entry("zenoh", "zenoh shared memory"),
    Entry("dora", "dora", ("direct",), ("direct", "reliable")),
    Entry("ezmsg", "ezmsg"),
    Entry("ray", "Ray compiled graph"),
)

#: These come with Python or with this library.
_AT_HOME = {"clara_fastio", "shared_memory", "queue"}
_CPUS = {"handover": CPUS, "pipeline": (CPUS[0], CPUS[1], CPUS[0])}


class SupervisedChain(Worker):
    """A supervisor and its chain of processes."""

    def __init__(self, plan: Plan) -> None:
        found = ENVIRONMENT / "bin" / "python"
        python = sys.executable if plan.peer in _AT_HOME or not found.exists() else str(found)
        super().__init__([python, "-m", "bench.frames.supervise"], plan.to_json())
        self._pids: list[int] = []
        self._why = "it has ended"
        self.versions: dict[str, str] = {}

    @property
    def pids(self) -> list[int]:
        """The processes of the chain, and the daemons of the peer."""
        return self._pids

    def wait_until_ready(self) -> None:
        """Wait until it takes orders; raise a TwinEndedError that says why when it does not."""
        answer = self._answer()
        self._pids, self.versions = answer["pids"], answer["versions"]

    def result(self) -> Sample:
        """Wait for what an order has cost."""
        return Sample(**self._answer())

    def order(self, case: str, steps: int) -> None:
        """Tell it what to do; whether it has ended shows in the answer."""
        try:
            super().order(case, steps)
        except BrokenPipeError:
            raise TwinEndedError(self._why) from None

    def _answer(self) -> dict:
        try:
            answer = json.loads(self._read())
        except RuntimeError:
            raise TwinEndedError(self._why) from None
        if "absent" in answer:
            self._why = answer["absent"]
            raise TwinEndedError(self._why)
        return answer


def plans(entry: Entry, kind: str, sizes: tuple[int, ...]) -> dict[str, Plan]:
    """Plan a chain for each variant of a peer, by its name in tables."""
    return {
        f"{entry.title}, {variant}" if variant else entry.title: Plan(
            entry.module, variant, kind, sizes, _CPUS[kind]
        )
        for variant in getattr(entry, kind)
    }
