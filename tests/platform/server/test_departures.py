# SPDX-License-Identifier: Apache-2.0
"""A client that leaves in the middle of an answer is no error of the server."""

from __future__ import annotations

from clara_fastio.platform._proto import payloads_pb2
from tests.platform.payloads.shelf import Requests
from tests.platform.serving import Wire

_LEAVING = 20


def test_the_log_has_one_line_at_most_for_a_client_that_leaves(server):
    with server.connect() as channel:
        reusable = Requests(Wire(channel).Payloads.Create().payload_id)
        folder = server.root / "payloads" / reusable.payload_id.value
        (folder / "a").write_bytes(bytes(32 << 20))
        download = channel.unary_stream(
            "/nvidia.clara.platform.Payloads/Download",
            payloads_pb2.PayloadsDownloadRequest.SerializeToString,
        )
        for _ in range(_LEAVING):
            call = download(reusable.Download(name="a"))
            next(call)
            call.cancel()
    lines = server.stop().splitlines()
    told = [line for line in lines if "a client left" in line]
    assert len(told) <= _LEAVING
    assert all("/nvidia.clara.platform.Payloads/Download was" in line for line in told)
    assert [line for line in lines if "INFO" not in line] == []
