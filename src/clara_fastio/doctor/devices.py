# SPDX-License-Identifier: Apache-2.0
"""The driver, the devices, and what of them works."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from clara_fastio.devices import Capabilities, DeviceInfo
from clara_fastio.doctor.arrays import cupy
from clara_fastio.doctor.device_trial import trials
from clara_fastio.doctor.finding import absent, format_bytes, ok, problem, warning
from clara_fastio.doctor.processes import ProgramError, ask_child
from clara_fastio.doctor.surroundings import has_device_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clara_fastio.doctor.finding import Finding

_TIMEOUT = 50.0
_DRIVER = "CLARA_FASTIO_CUDA_DRIVER"
_FOR_TESTS = ("CLARA_FASTIO_CUDA_TRANSPORT", "CLARA_FASTIO_CUDA_SYNC")
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_INSTALL = (
    "install the NVIDIA driver, or in a container start it with GPU access (docker: --gpus all, "
    "podman: --device nvidia.com/gpu=all)"
)


def settings() -> Iterator[Finding]:
    """Tell which variables of the environment change what follows."""
    yield _visible_devices(os.environ.get(_VISIBLE))
    for name in _FOR_TESTS:
        value = os.environ.get(name)
        if value:
            yield warning(
                name,
                f"'{value}': what follows is not what programs get without it",
                wanted="not set, outside tests",
                fix=f"unset {name}",
                value=value,
            )


def _visible_devices(value: str | None) -> Finding:
    if value is None:
        return ok(_VISIBLE, "not set: all devices", value=None)
    if value.strip() not in {"", "-1", "NoDevFiles"}:
        return ok(_VISIBLE, value, value=value)
    return absent(
        _VISIBLE,
        f"'{value}' hides all devices",
        wanted="not set, or a list of numbers or UUIDs",
        fix=f"unset {_VISIBLE}, where devices are to be used",
        value=value,
    )


def driver_and_devices() -> Iterator[Finding]:
    """Load the driver, look at each device, and share its memory between two processes."""
    try:
        answer = ask_child("capabilities", timeout=_TIMEOUT)
    except ProgramError as error:
        answer = {"error": "ProgramError", "text": f"the process that loads it failed: {error}"}
    if "error" in answer:
        yield problem(
            "CUDA driver",
            f"{answer['error']}: {answer['text']}",
            wanted="a driver that answers",
            fix="mend what the message names; the kernel's log (dmesg, 'NVRM') may say more, and "
            "a restart of the machine ends faults of a device",
            error=answer["error"],
        )
        return
    found = _capabilities(answer)
    yield judge_driver(found, os.environ.get(_DRIVER, ""), has_nodes=has_device_files())
    yield from cupy(found)
    for device in found.devices:
        yield from describe_device(device)
        yield from trials(device)


def judge_driver(found: Capabilities, test_driver: str, *, has_nodes: bool) -> Finding:
    """Say what follows from what the driver told.

    Parameters
    ----------
    found
        What it told.
    test_driver
        The value of ``CLARA_FASTIO_CUDA_DRIVER``.
    has_nodes
        Whether a driver's device files are there.
    """
    name, version = "CUDA driver", ".".join(map(str, found.driver_version))
    details: dict[str, Any] = {
        "library": found.driver,
        "version": version if found.available else None,
        "test": bool(test_driver),
        "reason": found.reason,
    }
    if found.available and not test_driver:
        return ok(name, f"{found.driver}, for CUDA {version}", **details)
    if found.available:
        return warning(
            name,
            f"a test driver: {test_driver}, for CUDA {version}; its devices are made up",
            wanted="the driver of the machine, outside tests",
            fix=f"unset {_DRIVER}",
            **details,
        )
    # What to do has a place of its own here.
    reason = found.reason.partition("; install the vendor's driver")[0]
    if test_driver:
        return problem(
            name,
            f"{reason} ({_DRIVER} is '{test_driver}')",
            wanted="the driver that the variable names",
            fix=f"build it (make build-test), or unset {_DRIVER}",
            **details,
        )
    if has_nodes:
        return warning(
            name,
            reason,
            wanted="a driver that can be used: its device files are there",
            fix="the library has to be of the same version as the kernel module (a restart after "
            "an update sees to that), and you have to be allowed to open /dev/nvidia*; in a "
            "container, start it with GPU access rather than with the files alone",
            **details,
        )
    return absent(
        name, reason, wanted="a driver, for memory of devices only", fix=_INSTALL, **details
    )


def describe_device(device: DeviceInfo) -> Iterator[Finding]:
    """Tell what a device is, and what of it works."""
    title = f"device {device.ordinal}"
    capability = f"{device.compute_capability // 10}.{device.compute_capability % 10}"
    # Without virtual memory management there is none.
    units = f", shared in units of {format_bytes(device.granularity)}" if device.granularity else ""
    yield ok(
        title,
        f"{device.name}, {device.uuid}, {format_bytes(device.memory)} "
        f"({format_bytes(device.free_memory)} free), compute capability {capability}{units}",
        uuid=device.uuid,
        product=device.name,
        memory=device.memory,
        free_memory=device.free_memory,
        compute_capability=capability,
        granularity=device.granularity,
    )
    yield _judge_transports(f"{title} sharing", device.transports)
    yield _judge_orders(f"{title} ordering", device.orders)
    yield _judge_read_only(f"{title} read-only maps", device.read_only)
    yield _judge_pinning(f"{title} pinning", device)


def _judge_transports(name: str, transports: dict[str, str]) -> Finding:
    found = _list(transports)
    if not transports["vmm"]:
        return ok(name, found, transports=transports)
    if not transports["legacy"]:
        return warning(
            name,
            found,
            wanted="'vmm': its memory outlives who made it, and readers cannot write it",
            fix="a driver of CUDA 12 or newer on Linux itself; a virtual GPU (vGPU) and WSL may "
            "not offer it whatever is installed",
            transports=transports,
        )
    return problem(
        name,
        found,
        wanted="'vmm' or 'legacy'",
        fix='declare variables with fallback="host", which copies at each end; some virtual GPUs '
        "and sandboxes cannot share memory of devices at all",
        transports=transports,
    )


def _judge_orders(name: str, orders: dict[str, str]) -> Finding:
    found = _list(orders)
    if not orders["timeline"]:
        return ok(name, found, orders=orders)
    return warning(
        name,
        found,
        wanted="'timeline': streams wait for each other, and no process waits for a device",
        fix="a newer driver; where the reason is about registering memory, ulimit -l unlimited; "
        "'events' need the same /dev/shm in all containers (--ipc). Everything works without it, "
        "more slowly",
        orders=orders,
    )


def _judge_read_only(name: str, refusal: str) -> Finding:
    if not refusal:
        return ok(name, "the device refuses writes through them")
    return warning(
        name,
        refusal,
        wanted="the device refuses writes through maps for reading",
        fix="a newer driver, and 'vmm' as the way of sharing; without it only the programs keep "
        "to it",
    )


def _judge_pinning(name: str, device: DeviceInfo) -> Finding:
    if not device.pinning:
        more = "" if device.pins_read_only else ", but for what a process may only read"
        return ok(name, f"shared host memory can be pinned{more}", read_only=device.pins_read_only)
    return warning(
        name,
        device.pinning,
        wanted="host memory that a device reads without a copy between",
        fix="ulimit -l unlimited (memlock in /etc/security/limits.conf, --ulimit memlock=-1 of a "
        "container); without it variables with pinned=True are not pinned, and copies take longer",
        read_only=device.pins_read_only,
    )


def _list(refusals: dict[str, str]) -> str:
    """List the ways that work, and those that do not with their reasons."""
    return "; ".join(
        f"{way} works" if not refusal else f"{way} does not work ({refusal})"
        for way, refusal in refusals.items()
    )


def _capabilities(values: dict[str, Any]) -> Capabilities:
    major, minor = values["driver_version"]
    listed = tuple(DeviceInfo(**device) for device in values["devices"])
    return Capabilities(**{**values, "driver_version": (major, minor), "devices": listed})
