# SPDX-License-Identifier: Apache-2.0
"""The service Payloads over the wire: every rpc, and its rules for streams."""

from __future__ import annotations

import grpc
import pytest

from clara_fastio.platform._proto import common_pb2, payloads_pb2
from clara_fastio.platform.wire.codes import Code
from clara_fastio.platform.wire.identifiers import new_id

CHUNK = 64 << 10


def codes(answers) -> list[int]:
    return [answer.header.code for answer in answers]


def test_a_new_payload_is_reusable_empty_and_keeps_metadata(wire):
    made = wire.Payloads.Create(payloads_pb2.PayloadsCreateRequest(metadata={"Source": "CT"}))
    assert made.type == payloads_pb2.PAYLOAD_TYPE_REUSABLE
    request = payloads_pb2.PayloadsDetailsRequest(payload_id=made.payload_id)
    (answer,) = wire.Payloads.Details(request)
    assert answer.HasField("header")
    assert answer.payload_id == made.payload_id
    assert answer.type == payloads_pb2.PAYLOAD_TYPE_REUSABLE
    assert answer.metadata == {"Source": "CT"}
    assert not answer.HasField("file")
    assert not answer.HasField("job_id")


def test_metadata_given_twice_makes_no_payload(wire, server):
    before = set((server.root / "payloads").iterdir())
    request = payloads_pb2.PayloadsCreateRequest(metadata={"a": "1", "A": "2"})
    assert wire.Payloads.Create(request).header.code == Code.ALREADY_EXISTS
    assert set((server.root / "payloads").iterdir()) == before


def test_metadata_is_added_and_removed(wire, reusable):
    added = wire.Payloads.AddMetadata(reusable.AddMetadata(metadata={"a": "1", "b": "2"}))
    assert added.metadata == {"a": "1", "b": "2"}
    assert added.payload_id == reusable.payload_id
    again = wire.Payloads.AddMetadata(reusable.AddMetadata(metadata={"A": "3", "c": "4"}))
    assert again.header.code == Code.ALREADY_EXISTS
    left = wire.Payloads.RemoveMetadata(reusable.RemoveMetadata(keys=["B", "unknown"]))
    assert left.metadata == {"a": "1"}
    assert left.payload_id == reusable.payload_id


def test_every_message_of_details_is_a_file_and_the_first_tells_the_rest(wire, reusable):
    wire.Payloads.AddMetadata(reusable.AddMetadata(metadata={"a": "1"}))
    wire.Payloads.Upload([reusable.part(f"{n:04}", b"x" * n) for n in range(600)])
    answers = wire.Payloads.Details(reusable.Details())
    assert [(a.file.name, a.file.size) for a in answers] == [(f"/{n:04}", n) for n in range(600)]
    assert answers[0].HasField("header")
    assert answers[0].metadata == {"a": "1"}
    assert not any(a.metadata for a in answers[1:])
    assert {a.payload_id.value for a in answers} == {reusable.payload_id.value}


@pytest.mark.parametrize("chunk", [1000, CHUNK, 1 << 20, 4 << 20])
def test_a_file_comes_back_as_it_was_sent(wire, reusable, downloaded, random_bytes, chunk):
    data = random_bytes(9_000_000 if chunk > 1000 else 100_000)
    parts = [
        reusable.part("a/b.raw", data[start : start + chunk], size=len(data))
        for start in range(0, len(data), chunk)
    ]
    answer = wire.Payloads.Upload(parts)
    assert answer.header.code == 0
    assert (answer.details.name, answer.details.size) == ("a/b.raw", len(data))
    assert downloaded(reusable, "./a/B.raw") == data


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_a_download_has_details_in_each_message_and_no_more_than_needed(wire, reusable, size):
    wire.Payloads.Upload([reusable.part("a", b"x" * size, mode=0o640)])
    answers = wire.Payloads.Download(reusable.Download(name="/a"))
    assert len(answers) == max(1, -(-size // (1 << 20)))
    assert answers[0].HasField("header")
    details = payloads_pb2.PayloadFileDetails(name="/a", size=size, mode=0o640)
    assert all(answer.details == details for answer in answers)
    assert sum(len(answer.data) for answer in answers) == size


@pytest.mark.parametrize("size", [0, 7, CHUNK, 1 << 60])
def test_the_size_that_a_sender_gives_is_not_believed(wire, reusable, listed, size):
    parts = [reusable.part("a", b"x" * 1000, size=size) for _ in range(3)]
    assert wire.Payloads.Upload(parts).details.size == 3000
    assert listed(reusable) == {"/a": 3000}


def test_several_files_come_in_one_stream(wire, reusable, listed):
    parts = [reusable.part(name, b"x") for name in ("a", "b/c", "a", "./d", "b/c")]
    answer = wire.Payloads.Upload([*parts, reusable.part("empty")])
    assert (answer.details.name, answer.details.size) == ("empty", 0)
    assert listed(reusable) == {"/a": 2, "/d": 1, "/empty": 0, "/b/c": 2}


def test_a_file_that_is_sent_again_is_replaced(wire, reusable, downloaded):
    for data in (b"a long one", b"short"):
        assert wire.Payloads.Upload([reusable.part("a", data)]).header.code == 0
        assert downloaded(reusable, "a") == data


def test_an_empty_stream_is_an_error(wire):
    answer = wire.Payloads.Upload([])
    assert answer.header.code == Code.INVALID_ARGUMENT
    assert "no message" in answer.header.messages[0]


@pytest.mark.parametrize("name", ["", "/", "a/", "..", "../a", "a/../../b", "x\0y", "n" * 300])
def test_a_name_that_escapes_spoils_the_whole_stream(wire, server, reusable, listed, name):
    answer = wire.Payloads.Upload([reusable.part("good", b"1"), reusable.part(name, b"2")])
    assert answer.header.code == Code.INVALID_ARGUMENT
    assert listed(reusable) == {}
    assert not list((server.root / "uploads").iterdir())
    for rpc in ("Download", "Remove"):
        asked = getattr(wire.Payloads, rpc)(getattr(reusable, rpc)(name=name))
        first = asked[0] if rpc == "Download" else asked
        assert first.header.code == Code.INVALID_ARGUMENT


@pytest.mark.parametrize("before", [0, 1, 600_000])
def test_content_without_a_name_is_refused_not_lost(wire, reusable, listed, before):
    # The last size is more than a batch: what comes after it begins a new one.
    parts = [reusable.part("scan", bytes(before))] if before else []
    answer = wire.Payloads.Upload([*parts, reusable.part("", b"1")])
    assert answer.header.code == Code.INVALID_ARGUMENT
    assert "names no file" in answer.header.messages[0]
    assert not listed(reusable)


def test_a_stream_that_changes_its_payload_is_refused(wire, reusable, listed):
    parts = [reusable.part("a", b"1"), reusable.part("a", b"2")]
    parts[1].payload_id.value = new_id()
    answer = wire.Payloads.Upload(parts)
    assert answer.header.code == Code.INVALID_ARGUMENT
    assert "a stream for each" in answer.header.messages[0]
    assert listed(reusable) == {}


def test_every_message_of_a_stream_names_its_payload(wire, reusable, listed):
    parts = [reusable.part("a", b"1"), reusable.part("a", b"2")]
    parts[1].ClearField("payload_id")
    answer = wire.Payloads.Upload(parts)
    assert answer.header.code == Code.INVALID_ARGUMENT
    assert "names no payload; each has to" in answer.header.messages[0]
    assert listed(reusable) == {}


def test_only_one_file_of_several_that_differ_in_case_is_meant(wire, reusable, downloaded):
    wire.Payloads.Upload([reusable.part("a", b"lower"), reusable.part("A", b"upper")])
    assert downloaded(reusable, "a") == b"lower"
    assert downloaded(reusable, "A") == b"upper"
    wire.Payloads.Upload([reusable.part("bC"), reusable.part("Bc")])
    assert codes(wire.Payloads.Download(reusable.Download(name="bc"))) == [Code.INVALID_ARGUMENT]


def test_a_removed_file_is_gone(wire, reusable, listed):
    wire.Payloads.Upload([reusable.part("a/b", b"1"), reusable.part("c", b"1")])
    assert wire.Payloads.Remove(reusable.Remove(name="./a/b")).header.code == 0
    assert wire.Payloads.Remove(reusable.Remove(name="a/b")).header.code == Code.NOT_FOUND
    assert listed(reusable) == {"/c": 1}


def test_a_deleted_payload_is_gone(wire, server, reusable):
    wire.Payloads.Upload([reusable.part("a/b", b"1")])
    assert wire.Payloads.Delete(reusable.Delete()).header.code == 0
    assert not (server.root / "payloads" / reusable.payload_id.value).exists()
    assert wire.Payloads.Delete(reusable.Delete()).header.code == Code.NOT_FOUND
    assert wire.Payloads.Upload([reusable.part("a", b"1")]).header.code == Code.NOT_FOUND
    (answer,) = wire.Payloads.Download(reusable.Download(name="a/b"))
    assert answer.header.code == Code.NOT_FOUND
    assert reusable.payload_id.value in answer.header.messages[0]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", Code.INVALID_ARGUMENT),
        ("x", Code.INVALID_ARGUMENT),
        ("0123456789abcdef" * 2, Code.NOT_FOUND),
    ],
)
def test_an_id_that_is_none_is_an_error_of_every_rpc(wire, value, code):
    identifier = common_pb2.Identifier(value=value)
    for rpc in ("AddMetadata", "Delete", "Details", "Download", "Remove", "RemoveMetadata"):
        request = getattr(payloads_pb2, f"Payloads{rpc}Request")(payload_id=identifier)
        if rpc in {"Download", "Remove"}:
            request.name = "a"
        answer = getattr(wire.Payloads, rpc)(request)
        first = answer[0] if isinstance(answer, list) else answer
        assert first.header.code == code, rpc
        assert first.header.messages
    part = payloads_pb2.PayloadsUploadRequest(payload_id=identifier)
    assert wire.Payloads.Upload([part]).header.code == code


def test_an_id_is_read_with_dashes_and_in_capitals(wire, reusable):
    digits = reusable.payload_id.value.upper()
    dashed = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    request = payloads_pb2.PayloadsDetailsRequest(payload_id=common_pb2.Identifier(value=dashed))
    assert wire.Payloads.Details(request)[0].payload_id == reusable.payload_id


def test_no_answer_names_a_place_of_the_server(wire, server, reusable):
    wire.Payloads.Upload([reusable.part("a/b", b"1")])
    texts = [
        *wire.Payloads.Upload([reusable.part("a", b"1")]).header.messages,
        *wire.Payloads.Upload([reusable.part("a/b/c", b"1")]).header.messages,
    ]
    for name in ("unknown", "a/unknown", "a"):
        (answer,) = wire.Payloads.Download(reusable.Download(name=name))
        texts += answer.header.messages
    assert len(texts) == 5
    assert not any(str(server.root) in text or "/proc" in text for text in texts)


def test_a_file_that_shrinks_does_not_end_as_if_it_were_whole(server, reusable):
    path = server.root / "payloads" / reusable.payload_id.value / "a"
    path.write_bytes(b"x" * (64 << 20))
    with server.connect() as channel:
        call = channel.unary_stream(
            "/nvidia.clara.platform.Payloads/Download",
            payloads_pb2.PayloadsDownloadRequest.SerializeToString,
            payloads_pb2.PayloadsDownloadResponse.FromString,
        )(reusable.Download(name="a"), timeout=30)
        answers = [next(call)]
        path.write_bytes(b"")
        with pytest.raises(grpc.RpcError, match="changed while it was read"):
            answers += call
    assert answers[0].header.code == 0
