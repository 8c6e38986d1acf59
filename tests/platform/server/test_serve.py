# SPDX-License-Identifier: Apache-2.0
"""The program `clara serve`: where it listens, how it ends, and what every gRPC server offers."""

from __future__ import annotations

import socket
import threading
import time

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from clara_fastio.platform._proto import pipelines_pb2
from clara_fastio.platform.wire.methods import SERVICE_NAMES
from tests.platform.serving import Wire


@pytest.mark.parametrize("service", ["", *SERVICE_NAMES.values()])
def test_health_is_told_of_the_whole_and_of_each_service(server, service):
    with server.connect() as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service=service)
        )
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_names_every_service_and_shows_its_messages(server):
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(
            file_containing_symbol="nvidia.clara.platform.JobsStatusResponse"
        ),
    ]
    with server.connect() as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        names, file = stub.ServerReflectionInfo(iter(requests))
    found = {service.name for service in names.list_services_response.service}
    assert set(SERVICE_NAMES.values()) <= found
    shown = [
        FileDescriptorProto.FromString(text).name
        for text in file.file_descriptor_response.file_descriptor_proto
    ]
    assert "nvidia/clara/platform/jobs.proto" in shown


def test_a_port_that_is_taken_is_named(serve):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RuntimeError, match=f"nothing can listen on 127.0.0.1:{port}"):
            serve("--port", str(port))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--storage-percentage", "0"), "--storage-percentage is 0.0"),
        (("--slots", "0"), "--slots is 0"),
        (("--timeout-maximum", "-1"), "--timeout-maximum is -1.0"),
        (("--database", "nonsense"), "the URL of the database cannot be used"),
    ],
)
def test_settings_that_cannot_be_are_refused(serve, options, message):
    with pytest.raises(RuntimeError) as caught:
        serve(*options)
    assert message in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_root_that_cannot_be_made_is_named(serve, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeError, match=r"the root .* cannot be used: Not a directory"):
        serve(root=tmp_path / "file" / "root")


def test_a_call_that_is_on_is_finished_when_the_server_ends(server):
    goes_on = threading.Event()

    def requests():
        yield pipelines_pb2.PipelinesCreateRequest(
            definition=pipelines_pb2.PipelineDefinitionFile(content="api-version: 0.4.0\n")
        )
        goes_on.wait(10)
        yield pipelines_pb2.PipelinesCreateRequest(
            definition=pipelines_pb2.PipelineDefinitionFile(
                content="name: late\noperators:\n- {name: a, container: {image: b}}\n"
            )
        )

    with server.connect() as channel:
        wire = Wire(channel)
        answers = []
        caller = threading.Thread(target=lambda: answers.append(wire.Pipelines.Create(requests())))
        caller.start()
        time.sleep(0.2)
        server.process.terminate()
        time.sleep(0.2)
        goes_on.set()
        caller.join()
    assert answers[0].header.code == 0
    assert server.process.wait(10) == 0
    assert "Traceback" not in server.stop()


def test_a_message_larger_than_allowed_is_refused_by_grpc(server):
    definition = pipelines_pb2.PipelineDefinitionFile(content="#" * (5 << 20))
    with server.connect() as channel, pytest.raises(grpc.RpcError) as caught:
        Wire(channel).Pipelines.Create(
            [pipelines_pb2.PipelinesCreateRequest(definition=definition)]
        )
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
