# SPDX-License-Identifier: Apache-2.0
"""Each method of JobsClient."""

import datetime as dt

import nvidia_clara.job_types as types
from connections import connect, moment, text
from nvidia_clara import payload_types, pipeline_types
from nvidia_clara.jobs_client import JobsClient


def _job(job_id):
    return types.JobId(job_id)


def _info(info):
    return {
        "id": text(info.job_id),
        "payload": text(info.payload_id),
        "pipeline": text(info.pipeline_id),
        "name": info.name,
        "state": info.job_state,
        "status": info.job_status,
        "priority": info.job_priority,
        "created": moment(info.date_created),
        "started": moment(info.date_started),
        "stopped": moment(info.date_stopped),
        "metadata": dict(info.metadata),
    }


def create(pipeline_id, name, payloads=None, priority="Normal", metadata=None):
    with connect(JobsClient) as client:
        inputs = [payload_types.PayloadId(each) for each in payloads] if payloads else None
        info = client.create_job(
            pipeline_id=pipeline_types.PipelineId(pipeline_id),
            job_name=name,
            input_payloads=inputs,
            job_priority=types.JobPriority[priority],
            metadata=metadata,
        )
        return [text(info.job_id), text(info.payload_id)]


def start(job_id, values=None):
    with connect(JobsClient) as client:
        token = client.start_job(_job(job_id), values)
        return [token.job_state, token.job_status, token.job_priority]


def cancel(job_id, reason=None):
    with connect(JobsClient) as client:
        token = client.cancel_job(_job(job_id), reason)
        return [text(token.job_id), token.job_state, token.job_status]


def status(job_id):
    with connect(JobsClient) as client:
        details = client.get_status(_job(job_id))
        operators = {
            name: [each["status"], *(each[key].value for key in ("created", "started", "stopped"))]
            for name, each in details.operator_details.items()
        }
        return {**_info(details), "operators": operators, "messages": list(details.messages)}


def poll(job_id):
    """Ask without a pause until the job is stopped; gives the number of calls."""
    calls = 0
    with connect(JobsClient) as client:
        while client.get_status(_job(job_id)).job_state != types.JobState.Stopped.value:
            calls += 1
    return calls


def _filter(fields):
    if fields is None:
        return None
    times = {
        name: dt.datetime.fromtimestamp(fields[name], dt.UTC)
        for name in ("completed_before", "created_after")
        if name in fields
    }
    return types.JobFilter(
        has_job_state=[types.JobState[each] for each in fields.get("states", [])],
        has_job_status=[types.JobStatus[each] for each in fields.get("statuses", [])],
        pipeline_ids=[pipeline_types.PipelineId(each) for each in fields.get("pipelines", [])],
        **times,
    )


def list_all(fields=None):
    with connect(JobsClient) as client:
        return [_info(each) for each in client.list_jobs(_filter(fields))]


def stream(fields=None):
    with connect(JobsClient) as client:
        return [_info(each) for each in client.stream_jobs(_filter(fields))]


def logs(job_id, operator):
    with connect(JobsClient) as client:
        return client.job_logs(_job(job_id), operator)


def add_metadata(job_id, metadata):
    with connect(JobsClient) as client:
        return dict(client.add_metadata(_job(job_id), metadata))


def remove_metadata(job_id, keys):
    with connect(JobsClient) as client:
        return dict(client.remove_metadata(_job(job_id), keys))


def reconnected():
    """Close a client and open it again."""
    client = connect(JobsClient)
    client.close()
    client.reconnect()
    try:
        return len(client.list_jobs())
    finally:
        client.close()
