# SPDX-License-Identifier: Apache-2.0
"""The queue of an output, and how an input wants the frames: each for itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clara_fastio.pipeline import properties, types
from clara_fastio.pipeline.document import Scalar
from clara_fastio.pipeline.model import ARRAY, DYNAMIC
from clara_fastio.pipeline.problems import quote
from clara_fastio.pipeline.reading import ObjectReader, parse_integer
from clara_fastio.streams import MOST_DEPTH, Policy, Queue, policy_of

if TYPE_CHECKING:
    from clara_fastio.pipeline.document import Node
    from clara_fastio.pipeline.model import DataType

_POLICIES = "block, drop_oldest, latest, or sample(n) for every n-th frame"
_LONGEST_SPIN = 1.0
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{0,12})?([eE]-[0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class Wish:
    """How an input wants the frames of its stream, as far as it says so."""

    policy: str | None = None
    share: str | None = None
    deadline: float | None = None

    @property
    def named(self) -> tuple[str, ...]:
        """The properties that it has."""
        wishes = {"policy": self.policy, "share": self.share, "deadline": self.deadline}
        return tuple(name for name, wish in wishes.items() if wish is not None)


def read_queue(reader: ObjectReader, type_name: str | None, data: DataType | None) -> Queue | None:
    """Read the `queue` of an output; None when it has none that can be used."""
    version = reader.reading.version
    node = reader.object("queue")
    if node is None or version is None or not version.has_extensions:
        return None
    if type_name not in {None, ARRAY}:
        reader.problems.error(
            reader.where("queue"),
            f"{reader.what} has `queue`, which the type `{type_name}` does not have",
            hint="only an `array` is handed over frame by frame",
            depends=(reader.where("type"),),
        )
    inner = ObjectReader(node, f"the queue of {reader.what}", properties.QUEUE, reader.reading)
    depth = inner.integer("depth", 1, MOST_DEPTH)
    policy = read_policy(inner)
    spin = _read_spin(inner)
    largest = _read_largest(inner, reader, data)
    usual = Queue()
    return Queue(
        depth=usual.depth if depth is None else depth,
        policy=policy or usual.policy,
        max_shape=largest,
        spin=usual.spin if spin is None else spin,
    )


def read_wish(reader: ObjectReader) -> Wish:
    """Read what an input says about its frames; whether there are any is not looked at."""
    version = reader.reading.version
    if version is None or not version.has_extensions:
        return Wish()
    return Wish(read_policy(reader), reader.name("share"), reader.seconds("deadline"))


def read_policy(reader: ObjectReader) -> str | None:
    """Read `policy`; None when there is none that is known."""
    text = reader.text("policy")
    if text is None:
        return None
    try:
        policy, every = policy_of(text)
    except ValueError:
        reader.problems.error(
            reader.where("policy"),
            f"the policy of {reader.what} is unknown",
            found=quote(text),
            expected=_POLICIES,
            hint=reader.problems.did_you_mean(text, [*Policy, "sample(10)"]),
        )
        return None
    return f"sample({every})" if policy is Policy.SAMPLE else str(policy)


def _read_spin(reader: ObjectReader) -> float | None:
    node = reader.get("spin")
    if node is None:
        return None
    if isinstance(node, Scalar) and _NUMBER.fullmatch(node.text):
        seconds = float(node.text)
        if seconds <= _LONGEST_SPIN:
            return seconds
    reader.wrong(node, "spin", "a number of seconds from 0 to 1")
    return None


def _read_largest(
    reader: ObjectReader, output: ObjectReader, data: DataType | None
) -> tuple[int, ...] | None:
    """Read `max-shape`, which an array with dynamic dimensions needs and no other may have."""
    items = reader.items("max-shape", hint="write it as [2048, 2048]")
    sizes = tuple(_read_size(reader, item) for item in items)
    if data is None or data.type != ARRAY or None in sizes:
        return None
    depends = (output.where("shape"), output.where("type"))
    shown = list(data.shape)
    if reader.get("max-shape") is None:
        if DYNAMIC in data.shape:
            reader.missing(
                "max-shape", hint=f"the shape {shown} does not say how large a frame is",
                depends=depends,
            )  # fmt: skip
        return None
    if DYNAMIC not in data.shape:
        reader.problems.error(
            reader.where("max-shape"),
            f"{reader.what} has `max-shape`, but no dimension of {shown} is dynamic",
            hint="remove `max-shape`",
            depends=depends,
        )
        return None
    largest = tuple(size for size in sizes if size is not None)
    if not _fits(largest, data):
        if items:
            reader.problems.error(
                reader.where("max-shape"),
                f"`max-shape` of {reader.what} does not fit the shape",
                found=str(list(largest)),
                expected=f"{shown} with a size for each -1",
                depends=depends,
            )
        return None
    if types.fixed_bytes(data.element_type, largest) > types.MAXIMUM_BYTES // MOST_DEPTH:
        reader.problems.error(
            reader.where("max-shape"), f"a frame of {reader.what} fits into no memory"
        )
        return None
    return largest


def _fits(largest: tuple[int, ...], data: DataType) -> bool:
    return len(largest) == len(data.shape) and all(
        declared in {DYNAMIC, size} for size, declared in zip(largest, data.shape, strict=True)
    )


def _read_size(reader: ObjectReader, item: Node) -> int | None:
    size = parse_integer(item)
    if size is not None and size > 0:
        return size
    reader.problems.error(
        item,
        f"`max-shape` of {reader.what} holds something that is not a size",
        found=item.kind,
        expected="a whole number of at least 1",
    )
    return None
