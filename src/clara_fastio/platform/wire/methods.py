# SPDX-License-Identifier: Apache-2.0
"""Every rpc of the platform, read from the descriptors of its ``.proto`` files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.message_factory import GetMessageClass

from clara_fastio.platform._proto import (
    clara_pb2,
    jobs_pb2,
    models_pb2,
    payloads_pb2,
    pipelines_pb2,
)

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
    from google.protobuf.message import Message

FILES: tuple[FileDescriptor, ...] = tuple(
    module.DESCRIPTOR for module in (clara_pb2, jobs_pb2, models_pb2, payloads_pb2, pipelines_pb2)
)


@dataclass(frozen=True)
class Method:
    """One rpc: its full `path`, its messages, and which sides are streams."""

    service: str
    name: str
    path: str
    request: type[Message]
    response: type[Message]
    takes_stream: bool
    gives_stream: bool


def _method(service: str, descriptor: MethodDescriptor) -> Method:
    return Method(
        service=service,
        name=descriptor.name,
        path=f"/{descriptor.containing_service.full_name}/{descriptor.name}",
        request=GetMessageClass(descriptor.input_type),
        response=GetMessageClass(descriptor.output_type),
        takes_stream=descriptor.client_streaming,
        gives_stream=descriptor.server_streaming,
    )


#: By the names of the service and of the rpc: ``METHODS["Jobs"]["Status"]``.
METHODS: dict[str, dict[str, Method]] = {
    service.name: {method.name: _method(service.name, method) for method in service.methods}
    for file in FILES
    for service in file.services_by_name.values()
}

#: Full names of the services, as reflection and health checks want them.
SERVICE_NAMES: dict[str, str] = {
    service.name: service.full_name for file in FILES for service in file.services_by_name.values()
}
