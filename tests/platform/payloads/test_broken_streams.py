# SPDX-License-Identifier: Apache-2.0
"""A client or a server that dies in the middle of a stream leaves nothing half-made."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import grpc
import pytest

from clara_fastio.platform._proto import payloads_pb2
from tests.platform.payloads.shelf import Requests
from tests.platform.serving import Wire

UPLOAD = "/nvidia.clara.platform.Payloads/Upload"

#: Sends a file in parts of 64 KiB and says when each is on its way; killed, it never says the end.
CLIENT = """
    import itertools, sys
    import grpc
    from clara_fastio.platform._proto import common_pb2, payloads_pb2
    address, payload_id, seed = sys.argv[1:]
    def parts():
        for number in itertools.count():
            print(number, flush=True)
            yield payloads_pb2.PayloadsUploadRequest(
                payload_id=common_pb2.Identifier(value=payload_id),
                details=payloads_pb2.PayloadFileDetails(name="scan"),
                data=bytes(1 << 16),
            )
    with grpc.insecure_channel(address) as channel:
        channel.stream_unary(
            "/nvidia.clara.platform.Payloads/Upload",
            payloads_pb2.PayloadsUploadRequest.SerializeToString,
            payloads_pb2.PayloadsUploadResponse.FromString,
        )(parts())
    """


def until(condition, patience: float = 20) -> None:
    """Wait for what another process does."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)


@pytest.fixture
def drafts(server):
    return lambda: list((server.root / "uploads").iterdir())


@pytest.mark.parametrize("parts", [1, 2, 30, 200])
def test_a_client_that_is_killed_leaves_nothing(
    server, reusable, listed, drafts, run_program, parts
):
    program = run_program(CLIENT, server.address, reusable.payload_id.value, 0)
    for number in range(parts):
        program.expect(str(number))
    if parts > 20:
        until(drafts)
    program.kill()
    until(lambda: not drafts())
    assert listed(reusable) == {}


def test_cancelled_streams_never_appear(server, reusable, listed, drafts):
    """Whenever it comes, also with the last part: a stream whose end was not sent is no file."""
    arrived = threading.Event()
    with server.connect() as channel:
        upload = channel.stream_unary(
            UPLOAD,
            payloads_pb2.PayloadsUploadRequest.SerializeToString,
            payloads_pb2.PayloadsUploadResponse.FromString,
        )
        for number in range(150):
            arrived.clear()
            goes_on = threading.Event()

            def parts(goes_on=goes_on, number=number):
                for _ in range(number % 5 + 1):
                    yield reusable.part(f"file {number}", bytes(100_000))
                arrived.set()
                goes_on.wait()

            call = upload.future(parts(), timeout=30)
            assert arrived.wait(10)
            time.sleep(number % 7 / 1000)
            call.cancel()
            goes_on.set()
    until(lambda: not drafts())
    assert listed(reusable) == {}


def test_a_deadline_ends_an_upload(server, reusable, listed, drafts):
    stays = threading.Event()

    def parts():
        yield reusable.part("a", b"x" * (1 << 20))
        stays.wait()

    with server.connect() as channel, pytest.raises(grpc.RpcError) as failure:
        channel.stream_unary(UPLOAD, payloads_pb2.PayloadsUploadRequest.SerializeToString)(
            parts(), timeout=0.5
        )
    stays.set()
    assert failure.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    until(lambda: not drafts())
    assert listed(reusable) == {}


def test_a_download_that_is_given_up_frees_the_file(server, reusable):
    path = server.root / "payloads" / reusable.payload_id.value / "a"
    path.write_bytes(bytes(32 << 20))

    def held() -> bool:
        links = Path(f"/proc/{server.pid}/fd").iterdir()
        return any(link.resolve() == path for link in links)

    with server.connect() as channel:
        download = channel.unary_stream(
            "/nvidia.clara.platform.Payloads/Download",
            payloads_pb2.PayloadsDownloadRequest.SerializeToString,
        )
        for _ in range(20):
            call = download(reusable.Download(name="a"))
            next(call)
            assert held()
            call.cancel()
            until(lambda: not held())


def test_a_server_that_is_killed_sweeps_what_was_on_its_way(serve, tmp_path):
    server = serve(root=tmp_path / "root")
    goes_on = threading.Event()
    with server.connect() as channel:
        wire = Wire(channel)
        requests = Requests(wire.Payloads.Create().payload_id)
        assert wire.Payloads.Upload([requests.part("whole", b"1")]).header.code == 0

        def parts():
            yield requests.part("half", bytes(3 << 20))
            yield requests.part("half", bytes(3 << 20))
            goes_on.wait()

        call = channel.stream_unary(UPLOAD, payloads_pb2.PayloadsUploadRequest.SerializeToString)
        upload = call.future(parts())
        until(lambda: [*(server.root / "uploads").iterdir()])
        server.kill()
        goes_on.set()
        assert upload.exception() is not None
    assert [*(server.root / "uploads").iterdir()]
    again = serve(root=tmp_path / "root")
    assert not [*(server.root / "uploads").iterdir()]
    with again.connect() as channel:
        answers = Wire(channel).Payloads.Details(requests.Details())
        assert [answer.file.name for answer in answers] == ["/whole"]
