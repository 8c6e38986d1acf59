# SPDX-License-Identifier: Apache-2.0
"""What is said about a driver and its devices, by what they told."""

from __future__ import annotations

import dataclasses

import pytest

from clara_fastio.devices import Capabilities, DeviceInfo
from clara_fastio.doctor import devices
from clara_fastio.doctor.arrays import misfit
from clara_fastio.doctor.devices import describe_device, driver_and_devices, judge_driver, settings

MISSING = (
    "no CUDA driver: libcuda.so.1: cannot open shared object file: No such file or directory; "
    "install the vendor's driver, or start the container with its devices"
)
NONE = Capabilities(
    available=False,
    reason=MISSING,
    driver="",
    driver_version=(0, 0),
    devices=(),
    opens=0,
    mapped=0,
    evicted=0,
)
DEVICE = DeviceInfo(
    ordinal=0,
    uuid="GPU-1",
    name="NVIDIA H200",
    memory=141 << 30,
    free_memory=140 << 30,
    compute_capability=90,
    granularity=2 << 20,
    transports={"vmm": "", "legacy": ""},
    orders={"timeline": "", "events": "", "synchronize": ""},
    read_only="",
    pinning="",
    pins_read_only=True,
)
GOOD = dataclasses.replace(
    NONE,
    available=True,
    reason="",
    driver="libcuda.so.1",
    driver_version=(12, 8),
    devices=(DEVICE,),
)


def test_machine_without_a_driver_has_no_problem():
    found = judge_driver(NONE, "", has_nodes=False)
    assert found.state == "absent"
    assert found.found == MISSING.partition("; install")[0]
    assert found.fix.startswith("install the NVIDIA driver, or in a container start it with GPU")


def test_device_files_without_a_driver_are_a_warning():
    found = judge_driver(NONE, "", has_nodes=True)
    assert found.state == "warning"
    assert "kernel module" in found.fix


def test_driver_is_told_with_its_version():
    found = judge_driver(GOOD, "", has_nodes=True)
    assert (found.state, found.found) == ("ok", "libcuda.so.1, for CUDA 12.8")


def test_test_driver_is_called_one():
    found = judge_driver(GOOD, "/build/libfake_cuda.so", has_nodes=False)
    assert found.state == "warning"
    assert found.found.startswith("a test driver: /build/libfake_cuda.so, for CUDA 12.8")


def test_test_driver_that_is_missing_is_a_problem(monkeypatch):
    monkeypatch.setenv("CLARA_FASTIO_CUDA_DRIVER", "/nowhere/libcuda.so")
    (found, _) = driver_and_devices()
    assert (found.state, found.name) == ("problem", "CUDA driver")
    assert "/nowhere/libcuda.so" in found.found
    assert "unset CLARA_FASTIO_CUDA_DRIVER" in found.fix


def test_driver_that_does_not_answer_is_a_problem(monkeypatch):
    monkeypatch.setattr(devices, "_TIMEOUT", 0.01)
    (found,) = driver_and_devices()
    assert (found.state, found.name) == ("problem", "CUDA driver")
    assert "did not end within 0.01 s" in found.found


def test_library_that_is_no_driver_is_a_problem(monkeypatch):
    monkeypatch.setenv("CLARA_FASTIO_CUDA_DRIVER", "libm.so.6")
    found = next(driver_and_devices())
    assert found.state == "problem"
    assert "lacks cu" in found.found


def test_device_on_which_all_works_has_no_advice():
    found = list(describe_device(DEVICE))
    assert {one.state for one in found} == {"ok"}
    assert "NVIDIA H200, GPU-1, 141.0 GiB (140.0 GiB free), compute capability 9.0" in (
        found[0].found
    )
    assert found[0].found.endswith(", shared in units of 2.0 MiB")
    assert found[1].found == "vmm works; legacy works"


@pytest.mark.parametrize(
    ("changes", "name", "state", "reason"),
    [
        ({"transports": {"vmm": "no such attribute", "legacy": ""}}, "sharing", "warning", "such"),
        ({"transports": {"vmm": "no", "legacy": "not here"}}, "sharing", "problem", "not here"),
        (
            {"orders": {"timeline": "no memory operations", "events": "", "synchronize": ""}},
            "ordering",
            "warning",
            "no memory operations",
        ),
        ({"read_only": "it was refused"}, "read-only maps", "warning", "it was refused"),
        ({"pinning": "limit too low"}, "pinning", "warning", "limit too low"),
    ],
)
def test_what_does_not_work_is_told_with_its_reason(changes, name, state, reason):
    changed = dataclasses.replace(DEVICE, **changes)
    (found,) = [one for one in describe_device(changed) if one.name == f"device 0 {name}"]
    assert found.state == state
    assert reason in found.found
    assert found.fix


def test_events_alone_are_not_missed():
    orders = {"timeline": "", "events": "no common /dev/shm", "synchronize": ""}
    changed = dataclasses.replace(DEVICE, orders=orders)
    (found,) = [one for one in describe_device(changed) if one.name == "device 0 ordering"]
    assert found.state == "ok"
    assert "events does not work (no common /dev/shm)" in found.found


@pytest.mark.parametrize(
    ("value", "state"), [(None, "ok"), ("0,1", "ok"), ("", "absent"), ("-1", "absent")]
)
def test_hidden_devices_are_told(monkeypatch, value, state):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if value is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    found = next(settings())
    assert (found.state, found.details["value"]) == (state, value)


def test_settings_for_tests_are_told(monkeypatch):
    monkeypatch.setenv("CLARA_FASTIO_CUDA_SYNC", "events")
    (_, found) = settings()
    assert (found.state, found.name) == ("warning", "CLARA_FASTIO_CUDA_SYNC")


@pytest.mark.parametrize(
    ("installed", "version", "reason"),
    [
        (["cupy-cuda12x"], (12, 8), ""),
        (["cupy-cuda12x"], (13, 0), ""),
        (["cupy-cuda13x"], (12, 8), "it needs a driver for CUDA 13, this is 12"),
        (["cupy-cuda112"], (12, 8), ""),
        (["cupy"], (12, 8), ""),
        (["cupy-cuda12x", "cupy-cuda13x"], (13, 0), "they overwrite each other's files"),
    ],
)
def test_cupy_has_to_fit_the_driver(installed, version, reason):
    assert misfit(installed, dataclasses.replace(GOOD, driver_version=version)) == reason


def test_cupy_fits_where_there_is_no_driver():
    assert misfit(["cupy-cuda13x"], NONE) == ""
