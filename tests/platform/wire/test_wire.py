# SPDX-License-Identifier: Apache-2.0
"""The small words of the wire."""

from __future__ import annotations

import inspect
import time

import pytest

from clara_fastio import errors
from clara_fastio.platform._proto import common_pb2
from clara_fastio.platform.wire import codes, identifiers, timestamps
from clara_fastio.platform.wire.methods import METHODS

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, errors.FastIOError)
]


@pytest.mark.parametrize("error_class", CLASSES)
def test_every_error_comes_back_as_itself_or_as_internal(error_class):
    header = codes.header_of(error_class("what happened"))
    assert header.code < 0
    assert header.messages
    back = codes.error_from(header, error_class.__name__)
    if header.code == codes.Code.INTERNAL:
        assert type(back) is errors.PlatformError
        assert "what happened" not in str(back)
    else:
        assert type(back) is error_class
        assert str(back) == "what happened"


def test_a_class_that_does_not_fit_the_code_is_passed_over():
    header = common_pb2.ResponseHeader(code=codes.Code.NOT_FOUND, messages=["no such job"])
    assert type(codes.error_from(header, "OutOfMemoryError")) is errors.NotFoundError
    assert type(codes.error_from(header, "FastIOError.__init__")) is errors.NotFoundError


def test_an_error_without_a_message_has_one_on_the_wire():
    assert list(codes.header_of(errors.NotFoundError()).messages)


def test_an_unknown_code_is_an_error_all_the_same():
    error = codes.error_from(common_pb2.ResponseHeader(code=-99))
    assert type(error) is errors.PlatformError
    assert "-99" in str(error)


def test_identifiers_are_read_in_every_form_and_written_in_one():
    made = identifiers.new_id()
    dashed = f" {made[:8]}-{made[8:12]}-{made[12:16]}-{made[16:20]}-{made[20:]} ".upper()
    assert identifiers.parse_id(common_pb2.Identifier(value=dashed), "job") == made
    assert identifiers.to_wire(made).value == made


@pytest.mark.parametrize("text", ["12", "g" * 32, "0" * 33, "../../etc", "\0" * 32, "é" * 32])
def test_what_is_no_identifier_is_refused_and_named(text):
    with pytest.raises(errors.InvalidRequestError, match="is no job id"):
        identifiers.parse_id(common_pb2.Identifier(value=text), "job")


@pytest.mark.parametrize("missing", [None, common_pb2.Identifier(), ""])
def test_a_missing_identifier_is_called_missing(missing):
    with pytest.raises(errors.InvalidRequestError, match="names no payload id"):
        identifiers.parse_id(missing, "payload")


def test_times_are_seconds_since_the_year_one():
    now = time.time_ns()
    wire = timestamps.to_wire(now)
    assert wire.value - 62_135_596_800 == now // 10**9
    assert timestamps.from_wire(wire) == now // 10**9 * 10**9


def test_no_time_is_zero_and_reads_back_as_none():
    assert timestamps.to_wire(None).value == 0
    assert timestamps.from_wire(common_pb2.Timestamp()) is None
    assert timestamps.as_text(None) == ""
    assert timestamps.as_text(0) == "1970-01-01 00:00:00Z"


def test_every_rpc_is_known():
    assert {name: len(methods) for name, methods in METHODS.items()} == {
        "Clara": 3,
        "Jobs": 8,
        "Models": 16,
        "Payloads": 8,
        "Pipelines": 7,
    }
    upload = METHODS["Payloads"]["Upload"]
    assert upload.path == "/nvidia.clara.platform.Payloads/Upload"
    assert upload.takes_stream
    assert not upload.gives_stream
