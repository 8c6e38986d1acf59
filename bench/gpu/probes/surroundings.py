# SPDX-License-Identifier: Apache-2.0
"""What kind of machine is this: bare, a virtual one, a sandbox or a container?"""

from __future__ import annotations

import os
import platform
from pathlib import Path

from bench.gpu.driver import ATTRIBUTES, Driver
from bench.gpu.probes.asking import conclude, outcome


def first_line(path: str) -> str:
    """Read the first line of a file that may not be there."""
    try:
        return Path(path).read_text(errors="replace").partition("\n")[0].replace("\0", " ")
    except OSError as error:
        return f"unreadable: {error.strerror}"


def main() -> None:
    """Look."""
    driver = Driver()
    kernel = first_line("/proc/version")
    processors = Path("/proc/cpuinfo").read_text()
    conclude(
        {
            "kernel": platform.release(),
            "version": kernel,
            "gVisor": "gvisor" in kernel.lower() or platform.release() == "4.4.0",
            "Firecracker": "fc" in platform.release() or "firecracker" in kernel.lower(),
            "virtual": "hypervisor" in processors,
            "container": Path("/.dockerenv").exists(),
            "driver": first_line("/proc/driver/nvidia/version"),
            "ptrace_scope": first_line("/proc/sys/kernel/yama/ptrace_scope"),
            "shared memory": str(os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize),
            "device": outcome(driver.device_name),
            "CUDA": outcome(lambda: ".".join(map(str, driver.version()))),
            "granularity, least": outcome(driver.granularity),
            "granularity, best": outcome(lambda: driver.granularity(1)),
            "attributes": {
                name: outcome(lambda n=number: driver.attribute(n))
                for name, number in ATTRIBUTES.items()
            },
        }
    )


if __name__ == "__main__":
    main()
