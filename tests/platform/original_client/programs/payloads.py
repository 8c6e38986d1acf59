# SPDX-License-Identifier: Apache-2.0
"""Each method of PayloadsClient."""

import io

import nvidia_clara.payload_types as types
from connections import connect, text
from nvidia_clara.grpc import common_pb2, payloads_pb2
from nvidia_clara.payloads_client import PayloadsClient


def _payload(payload_id):
    return types.PayloadId(payload_id)


def _file(details):
    return [details.name, details.size, details.mode]


def create(metadata=None):
    with connect(PayloadsClient) as client:
        made = client.create_payload(metadata)
        return [text(made.payload_id), made.payload_type]


def details(payload_id):
    with connect(PayloadsClient) as client:
        found = client.get_details(_payload(payload_id))
        return {
            "id": text(found.payload_id),
            "type": found.payload_type,
            "metadata": dict(found.metadata),
            "files": [_file(each) for each in found.file_details],
        }


def upload(payload_id, name, path):
    with connect(PayloadsClient) as client:
        return _file(client.upload(_payload(payload_id), name, file_path=path))


def upload_text(payload_id, name, content):
    with connect(PayloadsClient) as client:
        source = io.BytesIO(content.encode())
        return _file(client.upload(_payload(payload_id), name, file_object=source))


def requests(payload_id, name, size):
    """List the sizes that the messages of an upload claim."""
    with connect(PayloadsClient) as client:
        made = client.upload_request_iterator(_payload(payload_id), name, io.BytesIO(bytes(size)))
        return [each.details.size for each in made]


def upload_nothing():
    """Send a stream without a message, as the client does for an empty file."""
    with connect(PayloadsClient) as client:
        answer = client._stub.Upload(iter(()))
        return [answer.header.code, list(answer.header.messages)]


def upload_several(payload_id, files):
    """Send several files in one stream, the header in the first message only."""
    identifier = common_pb2.Identifier(value=payload_id)
    messages = [
        payloads_pb2.PayloadsUploadRequest(
            payload_id=identifier,
            details=payloads_pb2.PayloadFileDetails(name=name),
            data=content.encode(),
        )
        for name, content in files
    ]
    with connect(PayloadsClient) as client:
        messages[0].header.CopyFrom(client.get_request_header())
        client.check_response_header(client._stub.Upload(iter(messages)).header)


def download(payload_id, name, path):
    with connect(PayloadsClient) as client:
        return _file(client.download_from(_payload(payload_id), name, dest_path=path))


def download_text(payload_id, name):
    with connect(PayloadsClient) as client:
        target = io.BytesIO()
        client.download_from(_payload(payload_id), name, dest_obj=target)
        return target.getvalue().decode()


def remove(payload_id, name):
    with connect(PayloadsClient) as client:
        client.remove_from(_payload(payload_id), name)


def delete(payload_id):
    with connect(PayloadsClient) as client:
        client.delete_payload(_payload(payload_id))


def add_metadata(payload_id, metadata):
    with connect(PayloadsClient) as client:
        return dict(client.add_metadata(_payload(payload_id), metadata))


def remove_metadata(payload_id, keys):
    with connect(PayloadsClient) as client:
        return dict(client.remove_metadata(_payload(payload_id), keys))


def reconnected(payload_id):
    """Close a client and open it again."""
    client = connect(PayloadsClient)
    client.close()
    client.reconnect()
    try:
        return text(client.get_details(_payload(payload_id)).payload_id)
    finally:
        client.close()
