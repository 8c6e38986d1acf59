# SPDX-License-Identifier: Apache-2.0
"""One payload, as a folder and on the wire."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from clara_fastio.platform._proto import common_pb2, payloads_pb2

if TYPE_CHECKING:
    from clara_fastio.platform.payloads.store import PayloadStore
    from clara_fastio.platform.records.payloads import PayloadType


class Shelf:
    """One payload of a store."""

    def __init__(self, store: PayloadStore, payload_type: PayloadType) -> None:
        self.store = store
        self.id = uuid.uuid4().hex
        self.type = payload_type
        store.create(self.id, payload_type)
        self.folder = store.folder(self.id)

    def begin(self):
        return self.store.begin_upload(self.id, self.type)

    def put(self, name: str, data: bytes = b"", mode: int = 0) -> None:
        upload = self.begin()
        upload.write(name, mode, [data])
        upload.flush()
        upload.commit()
        upload.settle()

    def names(self) -> list[str]:
        return [file.name for file in self.store.files(self.id)]

    def get(self, name: str) -> bytes:
        file = self.store.open(self.id, name)
        try:
            return file.read(0, file.stored.size)
        finally:
            file.close()


class Requests:
    """Makes requests for one payload."""

    def __init__(self, payload_id: common_pb2.Identifier) -> None:
        self.payload_id = payload_id

    def part(self, name: str, data: bytes = b"", **details) -> payloads_pb2.PayloadsUploadRequest:
        described = payloads_pb2.PayloadFileDetails(name=name, **details)
        return payloads_pb2.PayloadsUploadRequest(
            payload_id=self.payload_id, details=described, data=data
        )

    def __getattr__(self, rpc: str):
        request = getattr(payloads_pb2, f"Payloads{rpc}Request")
        return lambda **fields: request(payload_id=self.payload_id, **fields)
