# SPDX-License-Identifier: Apache-2.0
"""Messages of an upload are read as their class reads them."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st

from clara_fastio.platform._proto import common_pb2, payloads_pb2
from clara_fastio.platform.services.upload_parts import read_part

Request = payloads_pb2.PayloadsUploadRequest


def message(data: bytes = b"", name: str = "a/b") -> Request:
    details = payloads_pb2.PayloadFileDetails(name=name, mode=0o600)
    return Request(payload_id=common_pb2.Identifier(value="0" * 32), details=details, data=data)


messages = st.builds(
    message, data=st.one_of(st.binary(max_size=300), st.just(b"x" * 20_000)), name=st.text()
)
pieces = st.lists(messages.map(Request.SerializeToString), max_size=3)


def is_read_alike(raw: bytes) -> None:
    try:
        wanted = Request.FromString(raw)
    except DecodeError:
        with pytest.raises(DecodeError):
            read_part(raw)
        return
    part = read_part(raw)
    assert bytes(part.data) == wanted.data
    wanted.ClearField("data")
    assert part.head == wanted


@given(messages)
def test_usual_messages(one: Request) -> None:
    is_read_alike(one.SerializeToString())


@given(pieces, st.binary(max_size=30), st.integers(0, 400))
@example([b"\x22\x01a"], b"\x1a\x00", 400)  # Data before the details.
@example([b"\x22\x01a", b"\x22\x02bc"], b"", 400)  # The last data counts.
@example([b"\x22"], b"\x80\x80\x80\x80\x80\x00", 400)  # A length of six bytes.
@example([b"\x22"], b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 400)  # A length below zero.
@example([b"\x0a\x05"], b"", 400)  # A header that is cut off.
@example([b"\x2a\x01x"], b"\x22\x01a", 400)  # A field that a later version may have.
def test_all_that_may_come(parts: list[bytes], rest: bytes, length: int) -> None:
    is_read_alike((b"".join(parts) + rest)[:length])


def test_data_is_not_copied_and_equal_heads_are_read_once() -> None:
    raw = [message(b"x" * 1000).SerializeToString() for _ in range(2)]
    first, second = map(read_part, raw)
    assert isinstance(first.data, memoryview)
    assert first.data.obj is raw[0]
    assert first.head is second.head
