# SPDX-License-Identifier: Apache-2.0
"""The twin of uploads and downloads: grpc.aio, the same messages, a file, and nothing else.

Usage: python -m bench.programs.bare_payloads FOLDER {plain,synced}

It prints ``listening on ADDRESS`` and serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import grpc

from clara_fastio.platform._proto import payloads_pb2
from clara_fastio.platform.wire.methods import METHODS

CHUNK = 1 << 20


class Bare:
    """Does what a first draft of a server would do."""

    def __init__(self, folder: Path, *, is_synced: bool) -> None:
        self._folder = folder
        self._is_synced = is_synced

    async def upload(self, requests, _):
        """Write what comes to a file."""
        draft = self._folder / f"draft-{os.urandom(8).hex()}"
        with draft.open("wb", buffering=0) as file:
            async for request in requests:
                file.write(request.data)
            if self._is_synced:
                os.fdatasync(file.fileno())
        draft.rename(self._folder / request.details.name)
        return payloads_pb2.PayloadsUploadResponse(details=request.details)

    async def download(self, request, _):
        """Read a file and send it."""
        with (self._folder / request.name).open("rb", buffering=0) as file:
            while data := file.read(CHUNK):
                yield payloads_pb2.PayloadsDownloadResponse(data=data)


async def serve(folder: Path, *, is_synced: bool) -> None:
    """Listen until standard input ends."""
    bare = Bare(folder, is_synced=is_synced)
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 5 << 20)])
    upload, download = METHODS["Payloads"]["Upload"], METHODS["Payloads"]["Download"]
    handlers = {
        "Upload": grpc.stream_unary_rpc_method_handler(
            bare.upload, upload.request.FromString, upload.response.SerializeToString
        ),
        "Download": grpc.unary_stream_rpc_method_handler(
            bare.download, download.request.FromString, download.response.SerializeToString
        ),
    }
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("nvidia.clara.platform.Payloads", handlers),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), is_synced=sys.argv[2] == "synced"))
