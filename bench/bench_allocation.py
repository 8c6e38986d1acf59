# SPDX-License-Identifier: Apache-2.0
"""What do a fresh and a recycled allocation cost, and what does it cost to fill them?

Fresh memory comes from the host, in another process, and its pages fault when they are touched.
Recycled memory comes from the pool of the process that freed it, still mapped.
"""

from __future__ import annotations

import mmap
import os

import numpy as np
import pytest

import clara_fastio as fastio
from bench.harness.findings import Findings
from bench.harness.sampling import Statement

SIZES = {"64 KiB": 1 << 16, "1 MiB": 1 << 20, "64 MiB": 1 << 26, "1 GiB": 1 << 30}
#: Steps of a turn and turns: large ones take seconds, and need no repetition to be seen.
FRESH = {"64 KiB": (16, 20), "1 MiB": (16, 20), "64 MiB": (1, 8), "1 GiB": (1, 2)}
RECYCLED = {
    "64 KiB": {"block": 0.005},
    "1 MiB": {"block": 0.01},
    "64 MiB": {"steps": 1},
    "1 GiB": {"steps": 1},
}
ROUNDS = {"64 KiB": 40, "1 MiB": 40, "64 MiB": 30, "1 GiB": 5}

COPY = "np.copyto into private memory"
TAKE = "clara_fastio: create + release"
TAKE_AND_FILL = "clara_fastio: create + map + np.copyto + unmap + release"

FILL = "with block.map('w') as array: np.copyto(array, source)\ndel array\n"


def fresh_memfd(nbytes: int) -> np.ndarray:
    """Reserve and map shared memory with nothing but the system's calls."""
    descriptor = os.memfd_create("bench")
    try:
        os.posix_fallocate(descriptor, 0, nbytes)
        return np.frombuffer(mmap.mmap(descriptor, nbytes), np.uint8)
    finally:
        os.close(descriptor)


@pytest.fixture
def names(benchmark, size):
    """Fill from ones; a run whose figures nobody looks at need not take gigabytes."""
    nbytes = min(SIZES[size], 1 << 20) if benchmark.disabled else SIZES[size]
    source = np.ones(nbytes, np.uint8)
    return {"np": np, "nbytes": nbytes, "source": source, "fresh_memfd": fresh_memfd, "kept": []}


@pytest.mark.parametrize("size", SIZES)
def test_fresh(measure, report, host, names, size):
    """What was made stays until the end of the round, or the pool would give it again."""

    def before_round() -> None:
        names["kept"].clear()
        if "context" in names:
            names["context"].close()
        names["context"] = fastio.open_context(host.new("replace"))

    reserve = "kept.append(fresh_memfd(nbytes))"
    twins = {
        "memfd: reserve + map": Statement(reserve, names),
        "memfd: reserve + map, again": Statement(reserve, names),
        "memfd: reserve + map + np.copyto": Statement(
            "block = fresh_memfd(nbytes); kept.append(block); np.copyto(block, source)", names
        ),
        "clara_fastio: create": Statement("kept.append(context.create(nbytes))", names),
        "clara_fastio: create + map + np.copyto + unmap": Statement(
            f"block = context.create(nbytes); kept.append(block)\n{FILL}", names
        ),
    }
    steps, rounds = FRESH[size]
    turns = measure(twins, steps=steps, rounds=rounds, before_round=before_round)
    report(Findings(f"A fresh allocation of {size}", turns, "memfd: reserve + map", unit="us"))
    names["kept"].clear()
    names["context"].close()


@pytest.mark.parametrize("size", SIZES)
def test_recycled(measure, report, host, names, size):
    nbytes = names["nbytes"]
    names["private"] = np.zeros(nbytes, np.uint8)
    names["shared"] = fresh_memfd(nbytes)
    copy = Statement("np.copyto(private, source)", names)
    with (
        fastio.open_context(host.new()) as taken,
        fastio.open_context(host.new()) as filled,
    ):
        twins = {
            COPY: copy,
            f"{COPY}, again": copy,
            "np.copyto into a memfd": Statement("np.copyto(shared, source)", names),
            TAKE: Statement("context.create(nbytes).release()", {**names, "context": taken}),
            TAKE_AND_FILL: Statement(
                f"block = context.create(nbytes)\n{FILL}block.release()",
                {**names, "context": filled},
            ),
        }
        turns = measure(twins, rounds=ROUNDS[size], **RECYCLED[size])
    findings = Findings(f"A recycled allocation of {size}", turns, COPY, unit="us")
    findings.at_most(
        f"{size}: system calls, hence round trips, to get it", 0, **findings.calls(TAKE)
    )
    if size == "64 MiB":
        ratios = findings.ratios(TAKE_AND_FILL, COPY)
        findings.at_most(f"{size}: get and fill it / {COPY}", 1.15, **ratios)
    report(findings)
