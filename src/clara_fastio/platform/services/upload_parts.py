# SPDX-License-Identifier: Apache-2.0
"""Reads the messages of an upload without copying the data in them.

A message class would copy the data twice, and read the same id and name anew in each message. As
every writer of messages puts fields in the order of their numbers, the data comes last, behind a
head that is the same in all messages of a file. Whatever looks otherwise is read by the class.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from clara_fastio.platform._proto.payloads_pb2 import PayloadsUploadRequest

#: Tags of the fields before the data, each with a length: header, payload_id, details.
_HEAD_TAGS = (0x0A, 0x12, 0x1A)
_DATA_TAG = 0x22
_MOST_OF_VARINT = 5
#: Longer heads are not remembered.
_LONGEST_HEAD = 4096


class Part(NamedTuple):
    """A part of a file: a message without its data, which is only to be read, and the data."""

    head: PayloadsUploadRequest
    data: bytes | memoryview


def read_part(message: bytes) -> Part:
    """Read one message of an upload; DecodeError if it is none."""
    found = _find_data(message)
    if found is None:
        whole = PayloadsUploadRequest.FromString(message)
        data = whole.data
        whole.ClearField("data")
        return Part(whole, data)
    end, begin = found
    return Part(_head(message[:end]), memoryview(message)[begin:])


def _find_data(message: bytes) -> tuple[int, int] | None:
    """Find the end of the head and the begin of the data; None if it is not made like that."""
    place = 0
    size = len(message)
    while place < size:
        tag = message[place]
        length, after = _varint(message, place + 1)
        if tag == _DATA_TAG and after + length == size:
            return place, after
        if tag not in _HEAD_TAGS:
            return None
        place = after + length
        if place > _LONGEST_HEAD:
            return None
    return None


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """Read a number; gives it and the place behind it, beyond the end if it is none."""
    value = 0
    for index, byte in enumerate(message[place : place + _MOST_OF_VARINT]):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, place + index + 1
    return 0, len(message) + 1


@lru_cache(maxsize=256)
def _head(message: bytes) -> PayloadsUploadRequest:
    return PayloadsUploadRequest.FromString(message)
