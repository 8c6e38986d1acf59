# SPDX-License-Identifier: Apache-2.0
"""Short ways to call the services about jobs."""

from __future__ import annotations

import textwrap
import time
from typing import TYPE_CHECKING, Any

from clara_fastio.platform._proto import common_pb2, jobs_pb2, payloads_pb2, pipelines_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.platform.serving import Wire

#: Longer than anything takes on a busy machine; pytest ends a test after a minute.
PATIENCE = 50
Id = common_pb2.Identifier


class Office:
    """Calls a server; errors fail the test, but for those of the calls named `try_`."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def pipeline(self, definition: str) -> str:
        """Keep a definition; gives the pipeline's id."""
        file = pipelines_pb2.PipelineDefinitionFile(
            path="main.yaml", content=textwrap.dedent(definition)
        )
        answer = self.wire.Pipelines.Create([pipelines_pb2.PipelinesCreateRequest(definition=file)])
        return good(answer).pipeline_id.value

    def create(self, pipeline_id: str, **fields: Any) -> str:
        """Make a job; gives its id."""
        return good(self.try_create(pipeline_id, **fields)).job_id.value

    def try_create(
        self, pipeline_id: str, input_payloads: tuple[str, ...] = (), **fields: Any
    ) -> jobs_pb2.JobsCreateResponse:
        return self.wire.Jobs.Create(
            jobs_pb2.JobsCreateRequest(
                pipeline_id=Id(value=pipeline_id),
                input_payloads=[Id(value=each) for each in input_payloads],
                **fields,
            )
        )

    def start(self, job_id: str, variables: Mapping[str, str] | None = None) -> Any:
        return good(self.try_start(job_id, variables))

    def try_start(self, job_id: str, variables: Mapping[str, str] | None = None) -> Any:
        named = [
            jobs_pb2.JobsStartRequest.NamedValue(name=name, value=value)
            for name, value in (variables or {}).items()
        ]
        return self.wire.Jobs.Start(
            jobs_pb2.JobsStartRequest(job_id=Id(value=job_id), Variables=named)
        )

    def status(self, job_id: str) -> jobs_pb2.JobsStatusResponse:
        return good(self.wire.Jobs.Status(jobs_pb2.JobsStatusRequest(job_id=Id(value=job_id))))

    def cancel(self, job_id: str, reason: str = "") -> jobs_pb2.JobsCancelResponse:
        request = jobs_pb2.JobsCancelRequest(job_id=Id(value=job_id), reason=reason)
        return good(self.wire.Jobs.Cancel(request))

    def run(self, definition: str, **fields: Any) -> jobs_pb2.JobsStatusResponse:
        """Create and start a job, and wait for its end."""
        job_id = self.create(self.pipeline(definition), **fields)
        self.start(job_id)
        return self.wait(job_id)

    def wait(self, job_id: str, state: int = jobs_pb2.JOB_STATE_STOPPED) -> Any:
        """Poll, as clients do, until a job is in a state."""
        end = time.monotonic() + PATIENCE
        while (answer := self.status(job_id)).state != state:
            assert time.monotonic() < end, answer
        return answer

    def list(self, **fields: Any) -> list[str]:
        """Give the ids of jobs that fit a filter."""
        wanted = jobs_pb2.JobsListRequest.JobFilter(**fields)
        return self.ids(jobs_pb2.JobsListRequest(filter=wanted))

    def ids(self, request: jobs_pb2.JobsListRequest) -> list[str]:
        answers = self.wire.Jobs.List(request)
        good(answers[0])
        return [each.job_details.job_id.value for each in answers if each.HasField("job_details")]

    def log(self, job_id: str, operator: str) -> list[str]:
        """Read the lines of an operator."""
        answers = self.try_log(job_id, operator)
        good(answers[0])
        return [line for answer in answers for line in answer.logs]

    def try_log(self, job_id: str, operator: str) -> list[jobs_pb2.JobsReadLogsResponse]:
        return self.wire.Jobs.ReadLogs(
            jobs_pb2.JobsReadLogsRequest(job_id=Id(value=job_id), operator_name=operator)
        )

    def upload(self, payload_id: str, **files: str) -> None:
        for name, content in files.items():
            good(
                self.wire.Payloads.Upload(
                    [
                        payloads_pb2.PayloadsUploadRequest(
                            payload_id=Id(value=payload_id),
                            details=payloads_pb2.PayloadFileDetails(name=name),
                            data=content.encode(),
                        )
                    ]
                )
            )

    def reusable(self, **files: str) -> str:
        """Make a reusable payload; gives its id."""
        answer = good(self.wire.Payloads.Create(payloads_pb2.PayloadsCreateRequest()))
        self.upload(answer.payload_id.value, **files)
        return answer.payload_id.value

    def download(self, payload_id: str, name: str) -> str:
        answers = self.wire.Payloads.Download(
            payloads_pb2.PayloadsDownloadRequest(payload_id=Id(value=payload_id), name=name)
        )
        good(answers[0])
        return b"".join(answer.data for answer in answers).decode()


def good(answer: Any) -> Any:
    """Make sure that an answer is none of an error."""
    assert answer.header.code == 0, answer.header
    return answer


def refused(answer: Any, code: int) -> str:
    """Make sure that an answer is the error of a code; gives its messages."""
    assert answer.header.code == code, answer.header
    assert answer.header.messages
    return "\n".join(answer.header.messages)
