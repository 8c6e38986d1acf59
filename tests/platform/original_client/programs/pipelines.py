# SPDX-License-Identifier: Apache-2.0
"""Each method of PipelinesClient."""

import nvidia_clara.pipeline_types as types
from connections import connect, text
from nvidia_clara.pipelines_client import PipelinesClient


def _definition(files):
    return [types.PipelineDefinition(name=name, content=content) for name, content in files]


def create(files, pipeline_id=None, metadata=None):
    with connect(PipelinesClient) as client:
        forced = None if pipeline_id is None else types.PipelineId(pipeline_id)
        made = client.create_pipeline(_definition(files), pipeline_id=forced, metadata=metadata)
        return text(made)


def list_all():
    with connect(PipelinesClient) as client:
        return [
            [text(each.pipeline_id), each.name, dict(each.metadata)]
            for each in client.list_pipelines()
        ]


def details(pipeline_id):
    with connect(PipelinesClient) as client:
        found = client.pipeline_details(types.PipelineId(pipeline_id))
        return {
            "id": text(found.pipeline_id),
            "name": found.name,
            "metadata": dict(found.metadata),
            # The client hands out the message itself as a definition's content.
            "files": [[each.content.path, each.content.content] for each in found.definition],
        }


def update(pipeline_id, files):
    with connect(PipelinesClient) as client:
        client.update_pipeline(types.PipelineId(pipeline_id), _definition(files))


def remove(pipeline_id):
    with connect(PipelinesClient) as client:
        client.remove_pipeline(types.PipelineId(pipeline_id))


def add_metadata(pipeline_id, metadata):
    with connect(PipelinesClient) as client:
        return dict(client.add_metadata(types.PipelineId(pipeline_id), metadata))


def remove_metadata(pipeline_id, keys):
    with connect(PipelinesClient) as client:
        return dict(client.remove_metadata(types.PipelineId(pipeline_id), keys))


def reconnected():
    """Close a client and open it again."""
    client = connect(PipelinesClient)
    client.close()
    client.reconnect()
    try:
        return len(client.list_pipelines())
    finally:
        client.close()
