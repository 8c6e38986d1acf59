# SPDX-License-Identifier: Apache-2.0
"""Stream for a long time while consumers come, go and are killed; nothing may grow.

``python -m tests.soak --minutes 30`` prints memory and descriptors of the host, the producer and a
consumer as they develop, and ends with 1 when one of them grows or a counter does not add up.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

import clara_fastio as fastio

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLES = Path(__file__).parent / "roles.py"

#: Growth that is noise: allocators and the interpreter settle for a while.
MOST_BYTES = 4 << 20
MOST_DESCRIPTORS = 2


@dataclass
class Series:
    """What one process used, sample by sample."""

    name: str
    process: psutil.Process
    resident: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def sample(self) -> None:
        """Add what it uses now, without what it shares: that is slots, and they are fixed."""
        memory = self.process.memory_info()
        self.resident.append(memory.rss - memory.shared)
        self.descriptors.append(self.process.num_fds())

    def growth(self, values: list[int]) -> float:
        """Give what the straight line through the later two thirds gains from end to end."""
        late = values[len(values) // 3 :]
        middle = (len(late) - 1) / 2
        mean = sum(late) / len(late)
        spread = sum((i - middle) ** 2 for i in range(len(late)))
        slope = sum((i - middle) * (value - mean) for i, value in enumerate(late)) / spread
        return slope * (len(late) - 1)


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def start(role: str, context: str) -> subprocess.Popen[bytes]:
    """Start a process of the stream."""
    return subprocess.Popen([sys.executable, str(ROLES), role, context])


def disturb(context: str) -> Iterator[None]:
    """Step by step: let consumers come, and kill them, each time another way."""
    while True:
        for role in ("latest", "hoarder", "worker"):
            process = start(role, context)
            try:
                yield
            finally:
                process.kill()
                process.wait()
        yield


def main() -> int:
    """Run; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--samples", type=int, default=60)
    options = parser.parse_args()
    pause = options.minutes * 60 / options.samples
    with fastio.create_context(f"soak-{time.monotonic_ns()}") as context:
        frames = context.variable(
            "frames", shape=(256, 256), dtype="u16", queue=fastio.Queue(depth=6)
        )
        frames.reserve("steady")
        steady = {role: start(role, context.name) for role in ("producer", "steady")}
        all_series = [Series("host", psutil.Process())]
        all_series += [Series(role, psutil.Process(one.pid)) for role, one in steady.items()]
        disturbances = disturb(context.name)
        try:
            for sample in range(options.samples):
                next(disturbances)
                time.sleep(pause)
                for series in all_series:
                    series.sample()
                if sample % max(1, options.samples // 10) == 0:
                    show(frames.stream.produced, all_series)
            disturbances.close()
            for process in steady.values():
                process.terminate()
            ended = [process.wait(timeout=30) for process in steady.values()]
        finally:
            disturbances.close()
            for process in steady.values():
                process.kill()
        return judge(frames.stream, all_series, ended)


def show(produced: int, all_series: list[Series]) -> None:
    """Print one line of the development."""
    parts = [
        f"{series.name} {series.resident[-1] / 1e6:.1f} MB, {series.descriptors[-1]} descriptors"
        for series in all_series
    ]
    say(f"{produced} frames; " + "; ".join(parts))


def judge(stream: fastio.StreamInfo, all_series: list[Series], ended: list[int]) -> int:
    """Print the verdict; give the exit status."""
    bad = 0
    for series in all_series:
        resident = series.growth(series.resident)
        descriptors = series.growth(series.descriptors)
        has_grown = resident > MOST_BYTES or descriptors > MOST_DESCRIPTORS
        bad += has_grown
        say(
            f"{series.name}: {resident / 1e6:+.2f} MB, {descriptors:+.2f} descriptors"
            f"{' - it grows' if has_grown else ''}"
        )
    for edge in stream.edges:
        right = edge.accepted == edge.taken + edge.dropped + edge.unread + edge.queued
        right = right and edge.taken == edge.released + edge.held + edge.lost
        bad += not right
        say(
            f"edge {edge.name}: {edge.taken} taken, {edge.dropped} dropped, {edge.lost} lost, "
            f"{edge.unread} unread{'' if right else ' - does not add up'}"
        )
    if any(ended):
        say(f"the steady processes ended with {ended}")
        bad += 1
    say(f"{stream.produced} frames; {'nothing grows' if not bad else 'it failed'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
