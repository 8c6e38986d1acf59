# SPDX-License-Identifier: Apache-2.0
"""What a driver says about its job."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from clara_fastio.driver import Driver
from clara_fastio.errors import DriverError

JOB_ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def driver(monkeypatch) -> Driver:
    monkeypatch.setenv("NVIDIA_CLARA_JOBID", JOB_ID)
    monkeypatch.setenv("NVIDIA_CLARA_JOBNAME", "morning-scan")
    monkeypatch.setenv("NVIDIA_CLARA_STAGENAME", "segment")
    monkeypatch.setenv("NVIDIA_CLARA_STAGETIMEOUT", "90.5")
    return Driver()


def test_the_job_id_is_a_uuid(driver) -> None:
    """Item 37."""
    assert driver.job_id == uuid.UUID(JOB_ID)
    assert isinstance(driver.job_id, uuid.UUID)


def test_the_job_id_may_be_written_with_hyphens(monkeypatch) -> None:
    """Item 37."""
    monkeypatch.setenv("NVIDIA_CLARA_JOBID", str(uuid.UUID(JOB_ID)))
    assert Driver().job_id == uuid.UUID(JOB_ID)


def test_the_job_name_is_text(driver) -> None:
    """Item 38."""
    assert driver.job_name == "morning-scan"


def test_the_stage_name_is_text(driver) -> None:
    """Item 39."""
    assert driver.stage_name == "segment"


def test_the_stage_timeout_is_a_timedelta(driver) -> None:
    """Item 40."""
    assert driver.stage_timeout == dt.timedelta(seconds=90.5)


@pytest.mark.parametrize(
    "name",
    [
        "app_data",
        "application_data",
        "error",
        "is_stopping",
        "job_id",
        "job_name",
        "phase",
        "stage_name",
        "stage_timeout",
        "succeeded",
    ],
)
def test_properties_cannot_be_assigned(driver, name) -> None:
    """Items 41 and 42."""
    assert not callable(getattr(driver, name))
    with pytest.raises(AttributeError):
        setattr(driver, name, "another")


def test_outside_a_job_there_is_no_name_and_no_limit() -> None:
    """Items 37 to 40 have their types there too."""
    driver = Driver()
    assert driver.job_id == uuid.UUID(int=0)
    assert driver.job_name == driver.stage_name == ""
    assert driver.stage_timeout == dt.timedelta.max


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NVIDIA_CLARA_JOBID", "job seven"),
        ("NVIDIA_CLARA_STAGETIMEOUT", "soon"),
        ("NVIDIA_CLARA_STAGETIMEOUT", "-1"),
        ("NVIDIA_CLARA_STAGETIMEOUT", "nan"),
        ("NVIDIA_CLARA_STAGETIMEOUT", "1e30"),
        ("CLARA_TRACE", "loud"),
        ("CLARA_FASTIO_CONTROL", "7"),
        ("CLARA_FASTIO_CONTROL", "fd:seven"),
        ("CLARA_FASTIO_INPUTS", "{"),
        ("CLARA_FASTIO_INPUTS", "3"),
        ("CLARA_FASTIO_OUTPUTS", '[{"name": "mask"}]'),
        ("CLARA_FASTIO_OUTPUTS", '["mask"]'),
    ],
)
def test_an_environment_that_makes_no_sense_is_refused_by_name(
    monkeypatch, variable, value
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(DriverError, match=f"^{variable} is "):
        Driver()
