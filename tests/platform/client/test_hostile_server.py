# SPDX-License-Identifier: Apache-2.0
"""Servers that are broken, or mean harm: the client stays whole, and says what was wrong."""

from __future__ import annotations

import concurrent.futures

import grpc
import pytest

from clara_fastio import errors
from clara_fastio.platform import Client, JobState, PayloadType
from clara_fastio.platform._proto import (
    clara_pb2,
    common_pb2,
    jobs_pb2,
    payloads_pb2,
    pipelines_pb2,
)
from clara_fastio.platform.wire.methods import METHODS, SERVICE_NAMES

SOMEBODY = "a" * 32


class Hostile:
    """Answers as a test tells it: `answers` holds a function for each rpc."""

    def __init__(self):
        self.answers = {}
        pool = concurrent.futures.ThreadPoolExecutor(2)
        self._server = grpc.server(pool)
        for service, methods in METHODS.items():
            handlers = {
                name: self._handler(method)
                for name, method in methods.items()
                if not method.takes_stream
            }
            handler = grpc.method_handlers_generic_handler(SERVICE_NAMES[service], handlers)
            self._server.add_generic_rpc_handlers((handler,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def _handler(self, method):
        make = getattr(
            grpc, f"unary_{'stream' if method.gives_stream else 'unary'}_rpc_method_handler"
        )

        def answer(request, context):
            return self.answers[method.name](request, context)

        return make(
            answer,
            request_deserializer=method.request.FromString,
            response_serializer=lambda sent: (
                sent if isinstance(sent, bytes) else sent.SerializeToString()
            ),
        )

    def stop(self):
        self._server.stop(0).wait()


@pytest.fixture
def hostile():
    made = Hostile()
    yield made
    made.stop()


@pytest.fixture
def client(hostile):
    with Client(hostile.address, timeout=5) as made:
        yield made


def listing(*names, size=1):
    def details(_request, _context):
        for name in names:
            file = payloads_pb2.PayloadFileDetails(name=name, size=size)
            yield payloads_pb2.PayloadsDetailsResponse(file=file)

    return details


def content(announced, *chunks):
    def download(_request, _context):
        details = payloads_pb2.PayloadFileDetails(size=announced)
        for chunk in chunks:
            yield payloads_pb2.PayloadsDownloadResponse(details=details, data=chunk)

    return download


@pytest.mark.parametrize(
    "name", ["../up", "/../up", "a/../../up", "a/../../../etc/cron.d/x", "a//b", "", ".", "a\0b"]
)
def test_names_never_lead_out_of_the_destination(hostile, client, tmp_path, name):
    hostile.answers = {"Details": listing("good", name), "Download": content(1, b"x")}
    with pytest.raises(errors.PlatformError, match="no name"):
        client.payloads.download(SOMEBODY, tmp_path / "to")
    assert {path.name for path in tmp_path.rglob("*")} <= {"to"}


@pytest.mark.parametrize("path", ["../up.yaml", "/etc/cron.d/x", "a/../../x.yaml", r"..\up", "a\0"])
def test_paths_of_a_definition_never_lead_out_of_its_folder(hostile, client, path):
    def details(_request, _context):
        for each in ("main.yaml", path):
            definition = pipelines_pb2.PipelineDefinitionFile(path=each, content="x")
            yield pipelines_pb2.PipelinesDetailsResponse(definition=definition)

    hostile.answers = {"Details": details}
    with pytest.raises(errors.PlatformError, match="file of the definition wrongly"):
        client.pipelines.get(SOMEBODY)


@pytest.mark.parametrize(
    ("announced", "chunks"), [(10, [b"short"]), (3, [b"long", b"er"]), (5, []), (0, [b"x"])]
)
def test_a_file_that_is_not_as_long_as_announced_is_not_kept(
    hostile, client, tmp_path, announced, chunks
):
    hostile.answers = {"Details": listing("file"), "Download": content(announced, *chunks)}
    with pytest.raises(errors.PlatformError, match="download it again"):
        client.payloads.download(SOMEBODY, tmp_path / "to")
    assert not list((tmp_path / "to").iterdir())


def test_a_stream_that_breaks_off_leaves_no_file(hostile, client, tmp_path):
    def download(_request, context):
        details = payloads_pb2.PayloadFileDetails(size=100)
        yield payloads_pb2.PayloadsDownloadResponse(details=details, data=b"x")
        context.abort(grpc.StatusCode.DATA_LOSS, "the disk is gone")

    hostile.answers = {"Details": listing("file"), "Download": download}
    with pytest.raises(errors.FastIOError, match="the disk is gone"):
        client.payloads.download(SOMEBODY, tmp_path / "to")
    assert not list((tmp_path / "to").iterdir())


@pytest.mark.parametrize(
    ("code", "named", "kind"),
    [
        (-5, "", errors.NotFoundError),
        (-5, "OperatorError", errors.NotFoundError),
        (-5, "os.system", errors.NotFoundError),
        (-9, "NotReadyError", errors.NotReadyError),
        (-9, "", errors.PreconditionError),
        (-13, "NotFoundError", errors.PlatformError),
        (-999, "", errors.PlatformError),
    ],
)
def test_codes_and_class_names_are_not_trusted(hostile, client, code, named, kind):
    def version(_request, context):
        context.set_trailing_metadata((("clara-error", named),))
        return clara_pb2.ClaraVersionResponse(header=common_pb2.ResponseHeader(code=code))

    hostile.answers = {"Version": version}
    with pytest.raises(kind, match=str(code)) as raised:
        client.server.version()
    assert type(raised.value) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, errors.UnavailableError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, errors.DeadlineExceededError),
        (grpc.StatusCode.UNIMPLEMENTED, errors.NotOfferedError),
        (grpc.StatusCode.UNAUTHENTICATED, errors.UnauthenticatedError),
        (grpc.StatusCode.PERMISSION_DENIED, errors.PermissionDeniedError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, errors.OutOfMemoryError),
        (grpc.StatusCode.INTERNAL, errors.PlatformError),
        (grpc.StatusCode.UNKNOWN, errors.PlatformError),
        (grpc.StatusCode.CANCELLED, errors.PlatformError),
    ],
)
def test_statuses_of_grpc_become_errors_of_the_library(hostile, client, status, kind):
    hostile.answers = {"Version": lambda _, context: context.abort(status, "no reason")}
    with pytest.raises(kind) as raised:
        client.server.version()
    assert type(raised.value) is kind


def test_words_of_later_versions_are_unknown(hostile, client):
    def status(_request, _context):
        return jobs_pb2.JobsStatusResponse(state=77, status=-1, name="x")

    def details(_request, _context):
        yield payloads_pb2.PayloadsDetailsResponse(type=9)

    hostile.answers = {"Status": status, "Details": details}
    assert client.jobs.get(SOMEBODY).state is JobState.UNKNOWN
    assert client.payloads.get(SOMEBODY).type is PayloadType.UNKNOWN


def test_an_answer_without_any_message_is_told(hostile, client):
    hostile.answers = {"Details": lambda *_: iter(())}
    for call in (client.payloads.get, client.pipelines.get):
        with pytest.raises(errors.PlatformError, match="without a message"):
            call(SOMEBODY)


def test_bytes_that_are_no_message_are_told(hostile, client):
    hostile.answers = {"Version": lambda *_: b"\xff\xff\xff"}
    with pytest.raises(errors.PlatformError, match="no message of the platform"):
        client.server.version()


def test_a_stream_that_stands_still_misses_the_deadline(hostile):
    def listing_forever(_request, context):
        yield jobs_pb2.JobsListResponse()
        while context.is_active():
            context.set_details("")

    hostile.answers = {"List": listing_forever}
    with (
        Client(hostile.address, timeout=0.3) as client,
        pytest.raises(errors.DeadlineExceededError, match=r"Jobs\.List in time"),
    ):
        client.jobs.list()
