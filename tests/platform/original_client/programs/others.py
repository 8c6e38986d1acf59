# SPDX-License-Identifier: Apache-2.0
"""Each method of ClaraClient and ModelsClient, and the names of all methods."""

import inspect
import io

import nvidia_clara
import nvidia_clara.model_types as types
from connections import connect
from nvidia_clara.clara_client import ClaraClient
from nvidia_clara.grpc import models_pb2
from nvidia_clara.models_client import ModelsClient

NOBODY = "0" * 32


def version():
    found = connect(ClaraClient).version()
    return [found.major, found.minor, found.patch, found.label]


def stop():
    connect(ClaraClient).stop()


def utilization():
    return [len(each.gpu_metrics) for each in connect(ClaraClient).list_utilization()]


def watched_utilization():
    """Take two samples of the endless stream."""
    stream = connect(ClaraClient).stream_utilization()
    return [len(next(stream).gpu_metrics) for _ in range(2)]


def models():
    """Call each method and give what it raised."""
    model, catalog, instance = (
        types.ModelId(NOBODY),
        types.CatalogId(NOBODY),
        types.InstanceId(NOBODY),
    )
    details = models_pb2.ModelDetails(name="net")  # The client wants the message, not its type.
    raised = {}
    with connect(ModelsClient) as client:
        for name, call in {
            "create_catalog": client.create_catalog,
            "create_instance": client.create_instance,
            "delete_catalog": lambda: client.delete_catalog(catalog),
            "delete_instance": lambda: client.delete_instance(instance),
            "delete_model": lambda: client.delete_model(model),
            "download_model": lambda: client.download_model(model, io.BytesIO()),
            "list_models": client.list_models,
            "read_catalog": lambda: client.read_catalog(catalog),
            "read_instance": lambda: client.read_instance(instance),
            "update_catalog": lambda: client.update_catalog(catalog, [model]),
            "update_instance": lambda: client.update_instance(instance, [model]),
            "upload_model": lambda: client.upload_model(details, io.BytesIO(b"zip")),
            "add_metadata": lambda: client.add_metadata(model, {"a": "b"}),
            "remove_metadata": lambda: client.remove_metadata(model, ["a"]),
        }.items():
            try:
                call()
                raised[name] = ""
            except Exception as error:
                raised[name] = str(error)
    return raised


def reconnected():
    """Close a client and open it again."""
    client = connect(ModelsClient)
    client.close()
    client.reconnect()
    client.close()


def methods():
    """Name the public methods of all clients."""
    kinds = (
        nvidia_clara.ClaraClient,
        nvidia_clara.JobsClient,
        nvidia_clara.ModelsClient,
        nvidia_clara.PayloadsClient,
        nvidia_clara.PipelinesClient,
    )
    return sorted(
        {
            name
            for kind in kinds
            for name, _ in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }
    )
