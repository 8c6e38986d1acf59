# SPDX-License-Identifier: Apache-2.0
"""The list of kill points, read from the library that has them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tests.helpers.processes import KILL_POINT_LIBRARY

if TYPE_CHECKING:
    from pathlib import Path

LIBRARY = KILL_POINT_LIBRARY / "libclara_fastio.so"
SECTION = b"clara_kill_points"

#: Of the steps that a test can leave out.
OMISSIONS = b"clara_omissions"

#: Points of streams of frames, which `test_frames` and `test_frame_hosts` pass.
STREAMS = ("frame.", "host.subscribe.", "host.unsubscribe.", "host.repair.stream")

#: Points of device memory, which `test_devices`, `test_device_frames` and
#: `test_device_hosts` pass.
DEVICES = ("device.", "host.device.")

#: Of these, where memory is made that processes share; not where it is staged.
MAKING = frozenset({"device.made", "device.exported", "host.device.added"})

#: Of these, where no frame passes.
MAPPING = MAKING | {"device.begun"}

#: Of these, where a consumer of frames passes; at the others producers do.
READING = frozenset({"device.read_ordered", "device.read_promised"})

#: Of streams, where consumers die; at the others that begin with ``frame.``, producers do.
CONSUMERS = frozenset({"frame.taking", "frame.held", "frame.released", "frame.consumer_asleep"})

#: Where a producer does not pass while its consumers take every frame at once.
WAITS = frozenset({"frame.dropped", "frame.finished", "frame.producer_asleep"})

#: At these the process holds a lock, or is in the middle of a change that others can see.
CRITICAL = frozenset(
    {
        "lock.read.bit_set",
        "lock.read.bit_cleared",
        "lock.write.claimed",
        "lock.write.word_cleared",
        "write.version_odd",
        "write.before_commit",
        "write.committed",
        "produce.offered",
        "produce.mapped",
        "freeze.remapped",
        "get.reference_set",
        "device.write_ordered",
        "device.read_ordered",
        "device.begun",
        "device.signalled",
        "device.write_promised",
        "device.read_promised",
        "host.hello.slot_taken",
        "host.declare.taken",
        "host.device.added",
        "host.publish.checked",
        "host.free.doomed",
        "host.freeze.sealed",
        "host.produced.before_seal",
        "host.produced.sealed",
        "host.repair.begin",
        "host.repair.first_entry",
    }
)


def names(prefix: str = "", *, section: bytes = SECTION) -> list[str]:
    """Read the names of all kill points, or of those that begin with `prefix`."""
    texts = read_section(LIBRARY, section).split(b"\0")
    return sorted({text.decode() for text in texts if text.startswith(prefix.encode())} - {""})


def read_section(path: Path, wanted: bytes) -> bytes:
    """Read a section of a 64-bit ELF file."""
    content = path.read_bytes()
    if content[:5] != b"\x7fELF\x02":
        raise ValueError(f"{path} is no 64-bit ELF file")
    (table,) = struct.unpack_from("<Q", content, 0x28)
    size, count, names_index = struct.unpack_from("<HHH", content, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", content, table + i * size) for i in range(count)]
    names_at = headers[names_index][4]
    for name, _, _, _, offset, nbytes in headers:
        end = content.index(b"\0", names_at + name)
        if content[names_at + name : end] == wanted:
            return content[offset : offset + nbytes]
    raise ValueError(f"{path} has no section {wanted.decode()}; was it built with kill points?")
