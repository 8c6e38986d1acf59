# SPDX-License-Identifier: Apache-2.0
"""One piece of memory in containers and on the host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import clara_fastio as fastio
from clara_fastio.runner import LogLine, RunStatus

if TYPE_CHECKING:
    from tests.containers.conftest import ContainerWorkshop

MAKE = """
    from clara_fastio import Driver

    def execute(driver, payload):
        volume = payload.outputs["volume"]
        volume.update_shape((40, 1024, 1024))
        volume.allocate()
        with volume.map("w") as array:
            array[...] = 2

    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
"""
ADD = """
    import clara_fastio as fastio
    from clara_fastio import Driver, ReadOnlyError

    def execute(driver, payload):
        volume = payload.inputs["volume"]
        with volume.map("r") as array:
            print("sum", int(array.sum(dtype="u8")), flush=True)
            try:
                array.flags.writeable = True
            except ValueError as error:
                print("frozen", flush=True)
        try:
            volume.map("w")
        except ReadOnlyError:
            print("read-only", flush=True)
        with payload.outputs["sum"].map("w") as total:
            total[0] = 42

    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
"""
DEFINITION = """
    api-version: 0.5.0
    name: pass
    operators:
    - name: make
      container: {image: <image>, command: <make>}
      requests: {memory: 64}
      output:
      - {name: volume, type: array, element-type: uint8, shape: [-1, 1024, 1024]}
    - name: add
      container: {image: <image>, command: <add>}
      requests: {memory: 64}
      input:
      - {from: make, name: volume, type: array, element-type: uint8, shape: [-1, 1024, 1024]}
      output: [{name: sum, type: array, element-type: int64, shape: [1]}]
"""


def segments_of(pid: int) -> set[int]:
    """Give the inodes of the job's segments that a process has mapped."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    found = (line.split(maxsplit=5) for line in lines)
    return {
        int(fields[4])
        for fields in found
        if len(fields) > 5 and fields[5].startswith("/memfd:clara-fastio:pass")
    }


def test_an_array_is_passed_without_a_copy_and_without_a_limit(
    workshop: ContainerWorkshop,
) -> None:
    """40 MiB pass between containers that may use 64 MB for everything, Python and numpy too."""
    workshop.program("make", MAKE)
    workshop.program("add", ADD)
    result = workshop.run(DEFINITION)
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.log("add").split("\n")[:3] == [f"sum {2 * 40 << 20}", "frozen", "read-only"]
    (edge,) = result.edges
    assert (edge.medium, edge.nbytes) == ("memory", 40 << 20)


def test_host_and_container_have_the_same_segment_mapped(workshop: ContainerWorkshop) -> None:
    """The container reads the pages that this process, which hosts the context, reads as well."""
    workshop.program("make", MAKE)
    workshop.program("add", ADD.replace("try:", "import time; time.sleep(2)\n            try:", 1))
    shared: list[set[int]] = []

    def look(event: object) -> None:
        if isinstance(event, LogLine) and event.text.startswith("sum"):
            (name,) = [one for one in fastio.list_contexts() if one.startswith("pass-")]
            context = fastio.open_context(name)
            with context["make/volume"].map("r") as array:
                assert array[39, 0, 0] == 2
                here = segments_of(os.getpid())
            # A process of another pid namespace, by the number that it has here.
            (adder,) = [each.pid for each in context.processes() if each.role == "add"]
            assert Path(f"/proc/{adder}/ns/pid").readlink() != Path("/proc/self/ns/pid").readlink()
            shared.append(here & segments_of(adder))

    result = workshop.run(DEFINITION, look)
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert shared
    assert shared[0]


def test_a_program_without_driver_opens_the_context_by_its_path(
    workshop: ContainerWorkshop,
) -> None:
    workshop.program(
        "make",
        """
        import os, subprocess, sys
        import clara_fastio as fastio
        context = fastio.open_context()
        print(context.role, context["make/volume"].access, flush=True)
        if len(sys.argv) < 2:
            subprocess.run([sys.executable, *sys.orig_argv[1:], "again"], check=True)
        else:
            volume = context["make/volume"]
            volume.update_shape((1, 1024, 1024))
            volume.allocate()
            with volume.map("w") as array:
                array[...] = 1
        """,
    )
    workshop.program("add", ADD)
    definition = DEFINITION.replace(
        "command: <make>}", "command: <make>, driver: false}", 1
    ).replace("0.5.0", "1.0.0")
    result = workshop.run(definition)
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.log("make") == "make rw\nmake rw\n"
    assert workshop.log("add").startswith(f"sum {1 << 20}\n")


@pytest.mark.parametrize("signal", ["KILL", "SEGV"])
def test_a_writer_that_dies_is_repaired(workshop: ContainerWorkshop, signal: str) -> None:
    workshop.program(
        "make",
        MAKE.replace(
            "array[...] = 2", f"import os, signal; os.kill(os.getpid(), signal.SIG{signal})"
        ),
    )
    workshop.program("add", ADD)
    result = workshop.run(DEFINITION)
    assert result.status is RunStatus.FAILED
    assert result.failure.operator == "make"
    assert f"killed by SIG{signal}" in result.failure.message
