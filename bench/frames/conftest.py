# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the frame benches: chains of processes, one for each peer and variant."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from bench.frames.supervised import OURS, PEERS, SupervisedChain, plans
from bench.harness import machine
from bench.harness.sampling import TwinEndedError

if TYPE_CHECKING:
    from collections.abc import Iterator

KIB64, MIB8 = 64 << 10, 8 << 20
SIZES = {"64 B": 64, "64 KiB": KIB64, "8 MiB": MIB8}


class Chains(dict[str, SupervisedChain]):
    """Chains by name, and why the others are absent."""

    def __init__(self) -> None:
        super().__init__()
        self.absent: list[str] = []

    def firsts(self) -> list[str]:
        """Name each variant of each peer once."""
        return [name for name in self if not name.endswith(")")]

    def copies(self, first: str) -> list[str]:
        """Name everything that does the same as one of `firsts`."""
        return [name for name in self if name == first or name.startswith(f"{first} (")]


@contextlib.contextmanager
def started(kind: str, sizes: tuple[int, ...]) -> Iterator[Chains]:
    """Start every chain of a kind, one after the other."""
    chains = Chains()
    wanted = [
        (copy, name, plan)
        for entry in (OURS, *PEERS)
        for name, plan in plans(entry, kind, sizes).items()
        for copy in range(entry.copies if kind == "pipeline" else 1)
    ]
    with contextlib.ExitStack() as stack:
        # The first of each, then the second of each: who starts later finds memory that is laid out
        # in another way.
        for copy, name, plan in sorted(wanted, key=lambda one: one[0]):
            if copy and name not in chains:
                continue
            chain = SupervisedChain(plan)
            stack.callback(chain.close)
            try:
                chain.wait_until_ready()
            except TwinEndedError as error:
                chains.absent.append(f"{name} ({error})")
            else:
                chains[f"{name} ({copy + 1})" if copy else name] = chain
                machine.PEERS.update(chain.versions)
        yield chains


@pytest.fixture(scope="module")
def handovers() -> Iterator[Chains]:
    """Start two processes for each peer, which hand frames of every size to each other."""
    with started("handover", tuple(SIZES.values())) as chains:
        yield chains


@pytest.fixture(scope="session")
def pipelines() -> Iterator[Chains]:
    """Start three processes for each peer: produce, filter, reduce."""
    with started("pipeline", (KIB64, MIB8)) as chains:
        yield chains
