# SPDX-License-Identifier: Apache-2.0
"""Memory of made-up devices, shared by real processes."""

from __future__ import annotations

import pytest

from clara_fastio.doctor.device_trial import judge_default, judge_legacy
from clara_fastio.doctor.devices import driver_and_devices
from tests.helpers import fake_cuda

#: Numbers of attributes in the driver's interface.
VIRTUAL_MEMORY = 102
STREAM_WAITS = 122


@pytest.fixture
def fake(monkeypatch):
    """Examine on the fake driver; settings are the fake's own."""
    for name in ("CUDA_VISIBLE_DEVICES", "CLARA_FASTIO_CUDA_TRANSPORT", "CLARA_FASTIO_CUDA_SYNC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLARA_FASTIO_CUDA_DRIVER", str(fake_cuda.library()))

    def examine(**settings):
        for name, value in settings.items():
            monkeypatch.setenv(f"FAKE_CUDA_{name.upper()}", str(value))
        return {one.name: one for one in driver_and_devices()}

    return examine


def test_memory_goes_from_process_to_process_in_both_ways(fake):
    found = fake(devices=2)
    assert found["CUDA driver"].found.startswith(f"a test driver: {fake_cuda.library()}")
    for device in ("device 0", "device 1"):
        default = found[f"{device} between processes"]
        assert default.state == "ok", default
        assert default.details["transport"]["memory"] == "vmm"
        assert not default.details["transport"]["own"]
        assert default.details["transport"]["device"] == found[device].details["uuid"]
        legacy = found[f"{device} between processes, legacy"]
        assert (legacy.state, legacy.details["transport"]["memory"]) == ("ok", "legacy")


def test_device_without_virtual_memory_shares_by_legacy_handles(fake):
    found = fake(attributes=f"{VIRTUAL_MEMORY}=0")
    assert found["device 0 sharing"].state == "warning"
    default = found["device 0 between processes"]
    assert (default.state, default.details["transport"]["memory"]) == ("warning", "legacy")
    assert default.details["transport"]["memory_reason"] in default.found


def test_device_that_cannot_share_is_a_problem(fake):
    found = fake(attributes=f"{VIRTUAL_MEMORY}=0", errors="cuIpcGetMemHandle=801")
    assert found["device 0 sharing"].state == "problem"
    default = found["device 0 between processes"]
    assert (default.state, default.details["error"]) == ("problem", "DeviceIpcUnavailableError")
    assert found["device 0 between processes, legacy"].state == "absent"


def test_other_order_is_a_warning(fake, monkeypatch):
    monkeypatch.setenv("CLARA_FASTIO_CUDA_SYNC", "synchronize")
    default = fake()["device 0 between processes"]
    assert (default.state, default.details["transport"]["order"]) == ("warning", "synchronize")


def test_test_driver_without_a_device_is_a_problem(fake, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = fake()
    assert set(found) == {"CUDA driver", "cupy"}
    assert found["CUDA driver"].state == "problem"  # The variable asked for this driver.


@pytest.mark.parametrize(
    ("answer", "who"),
    [
        ({"error": "CudaError", "text": "it broke"}, "first"),
        ({"own": {}, "peer": {"error": "CudaError", "text": "it broke"}}, "second"),
    ],
)
def test_process_that_failed_is_named_with_its_error(answer, who):
    default, legacy = judge_default("d", answer), judge_legacy("d", answer)
    assert (default.state, legacy.state) == ("problem", "warning")
    assert default.found == f"the {who} process failed: CudaError: it broke"
    assert default.details["error"] == "CudaError"
