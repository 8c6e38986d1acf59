# SPDX-License-Identifier: Apache-2.0
"""The twin of status calls and listings: grpc.aio that gives the same messages, and nothing else.

Usage: python -m bench.programs.bare_jobs FOLDER

It answers every status with the message in FOLDER/status, and a listing with the message in
FOLDER/listed, as often as FOLDER/count says. It prints ``listening on ADDRESS`` and serves until
its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import grpc

from clara_fastio.platform._proto import jobs_pb2
from clara_fastio.platform.wire.methods import METHODS


async def serve(folder: Path) -> None:
    """Listen until standard input ends."""
    answer = jobs_pb2.JobsStatusResponse.FromString((folder / "status").read_bytes())
    listed = jobs_pb2.JobsListResponse.FromString((folder / "listed").read_bytes())
    count = int((folder / "count").read_text())

    async def status(_request, _context):
        return answer

    async def listing(_request, _context):
        for _ in range(count):
            yield listed

    server = grpc.aio.server()
    status_method, list_method = METHODS["Jobs"]["Status"], METHODS["Jobs"]["List"]
    handlers = {
        "Status": grpc.unary_unary_rpc_method_handler(
            status, status_method.request.FromString, status_method.response.SerializeToString
        ),
        "List": grpc.unary_stream_rpc_method_handler(
            listing, list_method.request.FromString, list_method.response.SerializeToString
        ),
    }
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("nvidia.clara.platform.Jobs", handlers),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
