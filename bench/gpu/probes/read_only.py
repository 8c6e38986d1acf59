# SPDX-License-Identifier: Apache-2.0
"""Does the device refuse writes through a mapping that is for reading, and whom does it hurt?"""

from __future__ import annotations

import sys
import warnings

from bench.gpu.driver import READ, READ_WRITE, CudaError, Driver
from bench.gpu.probes.asking import Other, conclude, outcome, serve


def answer_for(descriptor: int, nbytes: int) -> None:
    """Be the process that imports."""
    driver = Driver()
    handle = driver.take(descriptor)
    pointers: dict[str, int] = {}

    def write(alias: str) -> str:
        stream = driver.stream()
        driver.fill(pointers[alias], 13, nbytes, stream)
        driver.synchronize(stream)
        return "written"

    def write_by_kernel(alias: str) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import cupy
        memory = cupy.cuda.UnownedMemory(pointers[alias], nbytes, None, 0)
        array = cupy.ndarray((nbytes,), "u1", cupy.cuda.MemoryPointer(memory, 0))
        kernel = cupy.ElementwiseKernel("uint8 value", "uint8 out", "out = value", "probe_fill")
        kernel(cupy.uint8(13), array)
        cupy.cuda.runtime.deviceSynchronize()
        return "written"

    def map_it(alias: str, access: int) -> str:
        pointers[alias] = driver.map(handle, nbytes, access)
        return hex(pointers[alias])

    serve(
        {
            "map": map_it,
            "write": write,
            "write by kernel": write_by_kernel,
            "read": lambda alias: driver.first_bytes(pointers[alias])[0],
        }
    )


def main() -> None:
    """Be the process that exports, and ask."""
    if len(sys.argv) > 1:
        answer_for(*map(int, sys.argv[1:]))
        return
    driver = Driver()
    nbytes = driver.granularity()
    handle = driver.create(nbytes)
    own = driver.map(handle, nbytes)
    stream = driver.stream()
    driver.fill(own, 7, nbytes, stream)
    driver.synchronize(stream)
    descriptor = driver.export(handle)

    def start() -> Other:
        return Other("read_only", descriptor, nbytes, pass_fds=[descriptor])

    answer: dict[str, object] = {}
    for how in ("write", "write by kernel"):
        with start() as offender, start() as neighbour:
            neighbour.ask("map", alias="read", access=READ)
            found = {
                "map for reading": outcome(
                    lambda o=offender: o.ask("map", alias="read", access=READ)
                )
            }
            found["read"] = outcome(lambda o=offender: o.ask("read", alias="read"))
            found[how] = outcome(lambda o=offender, h=how: o.ask(h, alias="read"))
            found["offender reads afterwards"] = outcome(
                lambda o=offender: o.ask("read", alias="read")
            )
            found["neighbour reads"] = outcome(lambda n=neighbour: n.ask("read", alias="read"))
            found["exporter reads (7 when unchanged)"] = outcome(lambda: driver.first_bytes(own)[0])
            answer[how] = found
    with start() as both:
        answer["two mappings of one handle"] = {
            "for reading": outcome(lambda: both.ask("map", alias="read", access=READ)),
            "for both": outcome(lambda: both.ask("map", alias="both", access=READ_WRITE)),
            "write through the second": outcome(lambda: both.ask("write", alias="both")),
            "read through the first (13)": outcome(lambda: both.ask("read", alias="read")),
            "exporter reads (13)": outcome(lambda: driver.first_bytes(own)[0]),
            "write through the first": outcome(lambda: both.ask("write", alias="read")),
        }
    answer["exporter still works"] = outcome(lambda: hex(driver.allocate(1 << 20)))
    conclude(answer)


if __name__ == "__main__":
    try:
        main()
    except CudaError as error:
        conclude({"refused": str(error)})
