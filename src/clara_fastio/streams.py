# SPDX-License-Identifier: Apache-2.0
"""What a stream of frames is declared with, and how it shows itself to people."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

__all__ = ["ConsumerInfo", "EdgeInfo", "Policy", "Queue", "StreamInfo"]

#: More slots than that have no place in the words of a stream.
MOST_DEPTH: Final = 126
_SAMPLE: Final = re.compile(r"sample\((\d+)\)")


class Policy(StrEnum):
    """What an edge does with a frame when its consumer is not there yet."""

    #: The producer waits: nothing is lost.
    BLOCK = "block"
    #: The oldest frame that nobody reads goes.
    DROP_OLDEST = "drop_oldest"
    #: One frame waits, the newest.
    LATEST = "latest"
    #: Written ``sample(n)``: every n-th frame enters, then as `DROP_OLDEST`.
    SAMPLE = "sample"


def policy_of(text: object) -> tuple[Policy, int]:
    """Take a policy as it is written.

    Parameters
    ----------
    text
        ``"block"``, ``"drop_oldest"``, ``"latest"`` or ``"sample(n)"``.

    Returns
    -------
    tuple
        The policy, and every how many frames it takes one.

    Raises
    ------
    ValueError
        There is no such policy.
    """
    if isinstance(text, str):
        if (found := _SAMPLE.fullmatch(text)) and 0 < int(found[1]) < 2**32:
            return Policy.SAMPLE, int(found[1])
        if text in (Policy.BLOCK, Policy.DROP_OLDEST, Policy.LATEST):
            return Policy(text), 1
    raise ValueError(
        "a policy is 'block', 'drop_oldest', 'latest', or 'sample(n)' for every n-th frame; "
        f"found {text!r}"
    )


@dataclass(frozen=True)
class Queue:
    """What makes a variable carry a stream of frames.

    Parameters
    ----------
    depth
        Frames there is memory for: those that wait, are read, or are being made. 1 to 126.
    policy
        Of consumers that do not choose their own: see `Policy`.
    max_shape
        The largest frame, where dimensions are dynamic.
    spin
        Seconds that a wait looks for its frame before it sleeps, at most; it adapts to what
        comes. On a machine with one processor it sleeps at once.

    Raises
    ------
    ValueError, TypeError
        One of them cannot be.
    """

    depth: int = 4
    policy: str = "block"
    max_shape: tuple[int, ...] | None = None
    spin: float = 20e-6

    def __post_init__(self) -> None:
        if isinstance(self.depth, bool) or not isinstance(self.depth, int):
            raise TypeError(f"the depth of a queue is a whole number; found {self.depth!r}")
        if not 1 <= self.depth <= MOST_DEPTH:
            raise ValueError(
                f"the depth of a queue lies between 1 and {MOST_DEPTH}; found {self.depth}"
            )
        policy_of(self.policy)
        if self.max_shape is not None:
            object.__setattr__(self, "max_shape", _whole_shape(self.max_shape))
        if not 0 <= self.spin <= 1:
            raise ValueError(f"spin lies between 0 and 1 seconds; found {self.spin!r}")


def _whole_shape(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, Sequence) or isinstance(shape, (str, bytes)):
        raise TypeError(f"max_shape is a sequence such as (2048, 2048); found {shape!r}")
    for size in shape:
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise ValueError(f"each size of max_shape is a whole number; found {size!r}")
    return tuple(shape)


@dataclass(frozen=True)
class ConsumerInfo:
    """One process that takes frames of an edge, or took some."""

    pid: int
    slot: int
    #: Frames it took, those it holds now, and those it took later than the edge allows.
    taken: int
    held: int
    late: int
    #: Whether it takes no more.
    has_left: bool = False


@dataclass(frozen=True)
class EdgeInfo:
    """The counters of one edge of a stream, from its start.

    At rest ``offered == accepted + skipped``, ``accepted == taken + dropped + unread + queued`` and
    ``taken == released + held + lost``; while frames flow, by those that moved meanwhile.
    """

    name: str
    policy: str
    #: Whether each frame goes to one of several consumers.
    is_shared: bool
    #: Whether it gets frames: a consumer is there, or expected.
    is_open: bool
    #: Frames that passed by it, and of these what `sample` left out and what entered.
    offered: int
    skipped: int
    accepted: int
    #: Frames that consumers took, and gave back.
    taken: int
    released: int
    #: Frames that its policy gave up.
    dropped: int
    #: Frames that waited when the last consumer was gone, and that consumers held when they died.
    unread: int
    lost: int
    #: Frames taken later than the deadline of the edge.
    late: int
    #: Frames that wait now, and that are read now.
    queued: int
    held: int
    #: Pairs: seconds from commit to take, the upper end of a range; and the frames in it.
    latencies: tuple[tuple[float, int], ...]
    consumers: tuple[ConsumerInfo, ...]

    def latency(self, share: float) -> float:
        """Give the latency that this share of the frames did not exceed.

        Parameters
        ----------
        share
            Such as 0.5 for the median.

        Returns
        -------
        float
            Seconds, to about a quarter; not a number when no frame was taken.
        """
        total = sum(count for _, count in self.latencies)
        seen = 0
        for seconds, count in self.latencies:
            seen += count
            if total and seen >= share * total:
                return seconds
        return math.nan


@dataclass(frozen=True)
class StreamInfo:
    """A stream of frames as it was at one moment; see :attr:`Variable.stream`."""

    depth: int
    policy: str
    #: Bytes of the largest frame.
    slot_nbytes: int
    #: ``"open"``, ``"finished"``, ``"died"`` with its producer, or ``"left"`` by it unfinished.
    state: str
    #: Frames made, and of these how many came when nobody consumed.
    produced: int
    unclaimed: int
    #: Seconds that the producer waited for a slot.
    blocked: float
    edges: tuple[EdgeInfo, ...]
