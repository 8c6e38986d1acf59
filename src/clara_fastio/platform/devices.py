# SPDX-License-Identifier: Apache-2.0
"""How the GPUs of this machine are used, as NVIDIA's management library tells."""

from __future__ import annotations

import contextlib
import platform
from dataclasses import dataclass

import psutil

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class DeviceProcess:
    """Who uses a device: an operator of a job, or a program that belongs to none."""

    name: str
    job_id: str | None


@dataclass(frozen=True)
class DeviceSample:
    """One device at one moment; memory in megabytes, shares from 0 to 1."""

    node: str
    pcie: int
    compute: float
    memory: float
    memory_free: int
    memory_used: int
    processes: tuple[DeviceProcess, ...]


class Devices:
    """The GPUs; none where the library is not installed or finds no driver."""

    def sample(self) -> list[DeviceSample]:
        """Look at every device; blocks for some milliseconds."""
        try:
            import pynvml as nvml  # type: ignore[import-not-found]
        except ImportError:
            return []
        try:
            nvml.nvmlInit()
        except nvml.NVMLError:
            return []
        try:
            handles = [
                nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())
            ]
            samples = []
            for handle in handles:
                with contextlib.suppress(nvml.NVMLError):  # Lost, or in a mode that tells nothing.
                    samples.append(_sample(nvml, handle))
            return samples
        finally:
            nvml.nvmlShutdown()


def _sample(nvml, handle) -> DeviceSample:  # type: ignore[no-untyped-def]  # noqa: ANN001
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    processes = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    return DeviceSample(
        node=platform.node(),
        pcie=nvml.nvmlDeviceGetPciInfo(handle).bus,
        compute=nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100,
        memory=memory.used / memory.total,
        memory_free=memory.free // _MEGABYTE,
        memory_used=memory.used // _MEGABYTE,
        processes=tuple(owner_of(process.pid) for process in processes),
    )


def owner_of(pid: int) -> DeviceProcess:
    """Say whose a process is: an operator's, by the environment that its job has given it."""
    with contextlib.suppress(psutil.Error):
        environment = psutil.Process(pid).environ()
        if "NVIDIA_CLARA_JOBID" in environment:
            operator = environment.get("NVIDIA_CLARA_STAGENAME", "")
            return DeviceProcess(operator, environment["NVIDIA_CLARA_JOBID"])
    with contextlib.suppress(psutil.Error):
        return DeviceProcess(psutil.Process(pid).name(), None)
    return DeviceProcess(f"process {pid}", None)
