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
#: How often a fresh one is made, for each stays until the end.
FRESH = {"64 KiB": 40, "1 MiB": 40, "64 MiB": 8, "1 GiB": 2}
ROUNDS = 20

COPY = "np.copyto into a private array that was touched"
RECYCLED = "clara_fastio: recycled, create + release"
FILLED = "clara_fastio: recycled, create + map + np.copyto + unmap + release"

FILL = "with block.map('w') as array: np.copyto(array, source)"


def fresh_memfd(nbytes: int) -> np.ndarray:
    """Reserve and map shared memory with nothing but the system's calls."""
    descriptor = os.memfd_create("bench")
    try:
        os.posix_fallocate(descriptor, 0, nbytes)
        return np.frombuffer(mmap.mmap(descriptor, nbytes), np.uint8)
    finally:
        os.close(descriptor)


@pytest.fixture
def names(host):
    with fastio.open_context(host(1)[0]) as context:
        names = {"np": np, "context": context, "fresh_memfd": fresh_memfd, "kept": []}
        yield names
        names.clear()


@pytest.mark.parametrize("size", SIZES)
def test_fresh(measure, report, names, size):
    """All that was made stays until the end, or the pool would give it again."""
    names["nbytes"] = SIZES[size]
    names["source"] = np.ones(SIZES[size], np.uint8)
    ours, limit = f"clara_fastio: fresh, {size}", f"memfd: fresh, {size}"
    twins = {
        f"{limit}: reserve + map": Statement("kept.append(fresh_memfd(nbytes))", names),
        f"{limit}: reserve + map, again": Statement("kept.append(fresh_memfd(nbytes))", names),
        f"{limit}: reserve + map + fill": Statement(
            "block = fresh_memfd(nbytes); kept.append(block); np.copyto(block, source)", names
        ),
        f"{ours}: create": Statement("kept.append(context.create(nbytes))", names),
        f"{ours}: create + fill": Statement(
            f"block = context.create(nbytes); kept.append(block)\n{FILL}", names
        ),
    }
    turns = measure(twins, block=0, rounds=FRESH[size])
    report(Findings(f"A fresh allocation of {size}", turns, next(iter(twins)), unit="us"))


@pytest.mark.parametrize("size", SIZES)
def test_recycled(measure, report, names, size):
    names["nbytes"] = SIZES[size]
    names["source"] = np.ones(SIZES[size], np.uint8)
    names["private"] = np.zeros(SIZES[size], np.uint8)
    copy = "np.copyto(private, source)"
    twins = {
        COPY: Statement(copy, names),
        f"{COPY}, again": Statement(copy, names),
        RECYCLED: Statement("context.create(nbytes).release()", names),
        FILLED: Statement(f"block = context.create(nbytes)\n{FILL}\nblock.release()", names),
    }
    turns = measure(twins, block=0.01, rounds=ROUNDS)
    findings = Findings(f"A recycled allocation of {size}", turns, COPY, unit="us")
    findings.at_most(f"{size}, recycled: system calls, so no round trip", 0, **findings.calls(RECYCLED))
    if size == "64 MiB":
        findings.at_most(f"{size}, recycled and filled / np.copyto", 1.15, **findings.ratios(FILLED, COPY))
    report(findings)
