# SPDX-License-Identifier: Apache-2.0
"""Edges that carry frames: what their inputs ask for, and what those of one stream agree on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clara_fastio.pipeline import names
from clara_fastio.pipeline.model import Edge
from clara_fastio.pipeline.problems import quote
from clara_fastio.streams import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clara_fastio.pipeline.document import Node
    from clara_fastio.pipeline.entries import ReadInput, ReadOutput
    from clara_fastio.pipeline.model import Operator
    from clara_fastio.pipeline.problems import Problems


@dataclass(frozen=True, slots=True)
class Taken:
    """One input that takes the frames of a stream."""

    consumer: str
    entry: ReadInput
    edge: Edge

    @property
    def place(self) -> Node:
        """Where it says so."""
        return self.entry.reader.where("from")


class Streams:
    """The inputs of each stream of a pipeline."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._taken: dict[int, tuple[ReadOutput, list[Taken]]] = {}

    def connect(self, consumer: str, entry: ReadInput, output: ReadOutput) -> Edge | None:
        """Give the edge from an output to one of its inputs; None when it carries no frames."""
        queue = output.value.queue
        if queue is None:
            if output.reader.get("queue") is None:
                self._refuse_wishes(entry, output)
            return None
        wish = entry.wish
        edge = Edge(
            name=names.key(wish.share) if wish.share else f"{consumer}/{entry.value.name}",
            policy=wish.policy or queue.policy,
            share=wish.share,
            deadline=wish.deadline,
        )
        self._taken.setdefault(id(output), (output, []))[1].append(Taken(consumer, entry, edge))
        return edge

    def check(self) -> None:
        """Look at all inputs of each stream together."""
        for _, taken in self._taken.values():
            self._check_single(taken)
            self._check_groups(taken)

    def check_waits(self, operators: Sequence[Operator]) -> None:
        """Refuse edges that hold the producer up until it has ended, which it then never does."""
        known = {names.key(operator.name): operator for operator in operators}
        for producer, taken in self._taken.values():
            by_edge: dict[str, list[Taken]] = {}
            for one in taken:
                by_edge.setdefault(one.edge.name, []).append(one)
            for members in by_edge.values():
                if all(_is_held_up(one, known) for one in members):
                    self._say_held_up(members[0], producer)

    def _say_held_up(self, one: Taken, producer: ReadOutput) -> None:
        source = one.entry.value.source
        self._problems.error(
            one.place,
            f"operator `{one.consumer}` takes the first frame when `{source}` is complete, which "
            "waits for frames to be taken",
            hint="take no other input that has to wait for it, or choose another `policy`",
            depends=(producer.reader.node, one.entry.reader.node),
        )

    def _refuse_wishes(self, entry: ReadInput, output: ReadOutput) -> None:
        reader = entry.reader
        place = output.reader.node.position
        for name in entry.wish.named:
            self._problems.error(
                reader.where(name),
                f"{reader.what} has `{name}`, but its output has no queue",
                hint=f"declare a `queue` at the output in {place.file}:{place.line}, "
                f"or remove `{name}`",
                depends=(reader.where("from"), reader.where("name"), output.reader.node),
            )

    def _check_single(self, taken: Sequence[Taken]) -> None:
        """One operator takes a stream once."""
        first: dict[str, Taken] = {}
        for one in taken:
            other = first.setdefault(names.key(one.consumer), one)
            if other is not one:
                self._problems.error(
                    one.place,
                    f"operator `{one.consumer}` takes the same stream twice",
                    found=quote(one.entry.value.name or ""),
                    hint=f"the other input is on line {other.place.position.line}",
                    depends=(other.place,),
                )

    def _check_groups(self, taken: Sequence[Taken]) -> None:
        single = {names.key(one.consumer): one for one in taken if not one.edge.share}
        first: dict[str, Taken] = {}
        for one in taken:
            if one.edge.share is None:
                continue
            node = one.entry.reader.where("share")
            other = first.setdefault(one.edge.name, one)
            if other is not one:
                self._compare(one, other)
            elif alone := single.get(one.edge.name):
                self._problems.error(
                    node,
                    "the name of the group is also that of another edge of this stream",
                    found=quote(one.edge.share),
                    hint=f"operator `{alone.consumer}` takes all frames; choose another name",
                    depends=(alone.place,),
                )

    def _compare(self, one: Taken, other: Taken) -> None:
        reader = one.entry.reader
        shown = other.place.position
        where = f"as operator `{other.consumer}` has in {shown.file}:{shown.line}"
        for name, mine, theirs in (
            ("policy", one.edge.policy, other.edge.policy),
            ("deadline", one.edge.deadline, other.edge.deadline),
        ):
            if mine != theirs:
                self._problems.error(
                    reader.where(name if reader.get(name) is not None else "share"),
                    f"the members of the group `{one.edge.share}` do not agree on `{name}`",
                    found=_shown(mine),
                    expected=f"{_shown(theirs)} {where}",
                    depends=(other.entry.reader.node, reader.node),
                )


def _shown(value: str | float | None) -> str:
    return "none" if value is None else str(value)


def _is_held_up(one: Taken, known: Mapping[str, Operator]) -> bool:
    """Whether a consumer for which the producer waits has to wait for the producer's end."""
    consumer = known.get(names.key(one.consumer))
    if consumer is None or one.edge.policy != Policy.BLOCK:
        return False
    source = names.key(one.entry.value.source or "")
    awaited, seen = list(consumer.awaited), set()
    while awaited:
        name = names.key(awaited.pop())
        if name == source:
            return True
        if name not in seen and name in known:
            seen.add(name)
            # What is complete has taken its streams to their ends.
            awaited += known[name].upstream
    return False
