# SPDX-License-Identifier: Apache-2.0
"""Jobs.Cancel, in every state."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
import pytest

from clara_fastio.platform._proto import jobs_pb2
from tests.platform.jobs.office import refused
from tests.platform.jobs.runs import marked, shell, wait_until

if TYPE_CHECKING:
    from tests.platform.jobs.office import Office

STOPPED = 3
HEALTHY, FAULTED, CANCELED = 1, 2, 3


def running(office: Office, script: str) -> str:
    """Start a job whose operator has begun."""
    job_id = office.create(office.pipeline(shell(f"echo ready; {script}")))
    office.start(job_id)
    wait_until(lambda: office.log(job_id, "only") == ["ready"])
    return job_id


def test_a_created_job(office: Office) -> None:
    job_id = office.create(office.pipeline(shell("true")))
    answer = office.cancel(job_id, "not wanted any more")
    assert (answer.job_id.value, answer.job_state, answer.job_status) == (job_id, STOPPED, CANCELED)
    status = office.status(job_id)
    assert list(status.messages) == ["not wanted any more"]
    assert (status.started.value, status.stopped.value > 0) == (0, True)
    assert status.operator_details[0].status == jobs_pb2.JOB_OPERATOR_STATUS_PENDING
    refused(office.try_start(job_id), -9)


def test_a_running_job(office: Office) -> None:
    job_id = running(office, "exec sleep 60")
    answer = office.cancel(job_id, "the patient has left")
    assert (answer.job_state, answer.job_status) == (STOPPED, CANCELED)
    status = office.status(job_id)
    assert list(status.messages) == ["the patient has left"]
    assert status.operator_details[0].status == jobs_pb2.JOB_OPERATOR_STATUS_FAULTED
    assert not marked(job_id)


def test_without_a_reason_there_is_a_message_all_the_same(office: Office) -> None:
    job_id = running(office, "exec sleep 60")
    office.cancel(job_id)
    assert list(office.status(job_id).messages) == ["canceled"]


def test_a_reason_may_hold_anything(office: Office) -> None:
    job_id = office.create(office.pipeline(shell("true")))
    office.cancel(job_id, " a\0b " + "x" * 100_000)
    (message,) = office.status(job_id).messages
    assert message.startswith("a\ufffdb xxx")
    assert len(message) == 4096


def test_a_stopped_job_stays_as_it_is(office: Office) -> None:
    status = office.run(shell("true"))
    answer = office.cancel(status.job_id.value, "too late")
    assert (answer.job_state, answer.job_status) == (STOPPED, HEALTHY)
    assert office.status(status.job_id.value) == status


def test_many_callers_at_once_get_the_same_answer(office: Office) -> None:
    job_id = running(office, "exec sleep 60")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: office.cancel(job_id, str(number)), range(8)))
    assert {(each.job_state, each.job_status) for each in answers} == {(STOPPED, CANCELED)}
    assert len(office.status(job_id).messages) == 1


def test_who_goes_away_has_canceled_all_the_same(office: Office) -> None:
    job_id = running(office, "trap '' TERM; while :; do sleep 0.05; done")
    request = jobs_pb2.JobsCancelRequest(job_id={"value": job_id}, reason="bye")
    with pytest.raises(grpc.RpcError):
        office.wire.Jobs.Cancel(request, timeout=0.2)
    status = office.wait(job_id)
    assert (status.status, list(status.messages)) == (CANCELED, ["bye"])


def test_start_and_cancel_at_the_same_moment_leave_one_outcome(office: Office) -> None:
    pipeline = office.pipeline(shell("true"))
    for _ in range(10):
        job_id = office.create(pipeline)
        starting = threading.Thread(target=office.try_start, args=(job_id,))
        starting.start()
        answer = office.cancel(job_id, "race")
        starting.join()
        status = office.status(job_id)
        assert (status.state, status.status) == (answer.job_state, answer.job_status)
        assert answer.job_state == STOPPED
        assert status.status in {HEALTHY, CANCELED}
        assert not marked(job_id)
