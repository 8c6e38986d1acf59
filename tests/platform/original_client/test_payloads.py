# SPDX-License-Identifier: Apache-2.0
"""PayloadsClient of the published package."""

from __future__ import annotations

import os

import pytest

from tests.platform.original_client.conftest import OriginalClientError

pytestmark = pytest.mark.timeout(300)

REUSABLE = 2


@pytest.fixture
def payload(original):
    made, kind = original.payloads.create({"Study": "7"})
    assert kind == REUSABLE
    return made


def test_a_file_goes_there_and_comes_back(original, payload, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom((1 << 20) + 17))
    sent = original.payloads.upload(payload, "deep/scan.raw", str(source))
    size = source.stat().st_size
    assert sent == ["deep/scan.raw", size, 0]
    found = original.payloads.details(payload)
    assert (found["id"], found["type"], found["metadata"]) == (payload, REUSABLE, {"Study": "7"})
    ((name, found_size, _),) = found["files"]
    assert (name, found_size) == ("/deep/scan.raw", size)
    got = original.payloads.download(payload, "deep/scan.raw", str(target))
    assert got[:2] == [name, size]
    assert target.read_bytes() == source.read_bytes()


def test_the_sizes_that_the_client_claims_are_those_of_chunks(original, payload):
    kib = 1024
    assert original.payloads.requests(payload, "x", 130 * kib) == [64 * kib, 64 * kib, 2 * kib]
    original.payloads.upload_text(payload, "x", "y" * 130 * kib)
    ((_, size, _),) = original.payloads.details(payload)["files"]
    assert size == 130 * kib


@pytest.mark.parametrize("name", ["one.txt", "/one.txt", "./one.txt", "./deep/one.txt"])
def test_names_may_begin_with_a_dot_or_a_slash(original, payload, name):
    original.payloads.upload_text(payload, name, "text")
    ((listed, _, _),) = original.payloads.details(payload)["files"]
    assert listed == "/" + name.lstrip("./")
    for asked in (name, listed, "." + listed):
        assert original.payloads.download_text(payload, asked) == "text"
    original.payloads.remove(payload, "." + listed)
    with pytest.raises(OriginalClientError, match=r"one\.txt"):
        original.payloads.download_text(payload, name)


@pytest.mark.parametrize("name", ["../escape", "a/../../escape", "nul\0", "./"])
def test_names_that_escape_are_refused(original, payload, name):
    with pytest.raises(OriginalClientError):
        original.payloads.upload_text(payload, name, "text")
    assert original.payloads.details(payload)["files"] == [["", 0, 0]]


def test_an_empty_file_is_a_stream_without_a_message_and_an_error(original, payload):
    code, messages = original.payloads.upload_nothing()
    assert code < 0
    assert messages
    with pytest.raises(OriginalClientError, match="no message"):
        original.payloads.upload_text(payload, "empty", "")


def test_an_empty_payload_looks_like_one_file_without_a_name(original, payload):
    assert original.payloads.details(payload)["files"] == [["", 0, 0]]


def test_one_stream_may_hold_several_files(original, payload):
    original.payloads.upload_several(
        payload, [["one", "1"], ["two", "2"], ["one", "1"], ["two", "2"]]
    )
    assert original.payloads.download_text(payload, "one") == "11"
    assert original.payloads.download_text(payload, "two") == "22"


def test_an_upload_that_is_repeated_replaces_the_file(original, payload):
    for content in ("first", "second"):
        original.payloads.upload_text(payload, "one", content)
    assert original.payloads.download_text(payload, "one") == "second"


def test_metadata_calls_have_no_header_and_work(original, payload):
    assert original.payloads.add_metadata(payload, {"b": "2"}) == {"Study": "7", "b": "2"}
    assert original.payloads.remove_metadata(payload, ["STUDY"]) == {"b": "2"}


def test_ids_may_have_dashes_and_capitals(original, payload):
    dashed = "-".join(
        (payload[:8], payload[8:12], payload[12:16], payload[16:20], payload[20:])
    ).upper()
    original.payloads.upload_text(dashed, "one", "1")
    assert original.payloads.details(dashed)["id"] == payload


def test_a_deleted_payload_is_gone(original, payload):
    original.payloads.delete(payload)
    with pytest.raises(OriginalClientError, match=payload):
        original.payloads.details(payload)


def test_a_client_is_closed_and_opened_again(original, payload):
    assert original.payloads.reconnected(payload) == payload
