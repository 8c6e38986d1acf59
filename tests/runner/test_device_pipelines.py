# SPDX-License-Identifier: Apache-2.0
"""Pipelines whose arrays lie on a device: the driver is the one without a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clara_fastio.runner import OperatorState, RunStatus
from tests.helpers import fake_cuda

if TYPE_CHECKING:
    from clara_fastio.runner import RunResult
    from tests.helpers.workshop import Workshop

#: What stands for kernels, and what both operators begin with.
GPU = """
    import ctypes, os
    from clara_fastio import Driver
    library = ctypes.CDLL(os.environ["CLARA_FASTIO_CUDA_DRIVER"])
    library.fakeCudaFill.argtypes = (
        ctypes.c_void_p, ctypes.c_ulonglong, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_uint64)
    library.fakeCudaSum.argtypes = (
        ctypes.c_void_p, ctypes.c_ulonglong, ctypes.c_size_t, ctypes.c_uint64,
        ctypes.POINTER(ctypes.c_uint32), ctypes.POINTER(ctypes.c_uint32))
    library.cuStreamSynchronize.argtypes = (ctypes.c_void_p,)
    library.cuDevicePrimaryCtxRetain.argtypes = (ctypes.POINTER(ctypes.c_void_p), ctypes.c_int)
    library.cuCtxPushCurrent_v2.argtypes = (ctypes.c_void_p,)

    def begin(ordinal=0):
        context = ctypes.c_void_p()
        assert library.cuInit(0) == 0
        assert library.cuDevicePrimaryCtxRetain(ctypes.byref(context), ordinal) == 0
        assert library.cuCtxPushCurrent_v2(context) == 0

    def fill(mapping, value):
        words = mapping.nbytes // 4
        assert library.fakeCudaFill(mapping.stream, mapping.pointer, words, value, 2_000_000) == 0

    def look(pointer, words):
        least, most = ctypes.c_uint32(), ctypes.c_uint32()
        assert library.fakeCudaSum(
            None, pointer, words, 100_000, ctypes.byref(least), ctypes.byref(most)) == 0
        assert library.cuStreamSynchronize(None) == 0
        return least.value, most.value

    def run(execute):
        driver = Driver(execute_handler=execute)
        driver.start()
        driver.wait_for_completion()
"""
FILL = """
    def execute(driver, payload):
        begin({ordinal})
        volume = payload.outputs["volume"].map("w")
        fill(volume, 7)
        volume.close()
    run(execute)
"""
LOOK = """
    def execute(driver, payload):
        begin({ordinal})
        volume = payload.inputs["volume"].map()
        found = look(volume.pointer, volume.nbytes // 4)
        volume.close()
        (payload.outputs["report"] / "text").write_text(f"{{found}}")
    run(execute)
"""
IDLE = """
    from clara_fastio import Driver

    driver = Driver(execute_handler=lambda driver, payload: None)
    driver.start()
    driver.wait_for_completion()
"""
DEFINITION = """
    api-version: 1.0.0
    name: device
    operators:
    - name: fill
      container: {{image: demo/fill, command: <fill>}}
      output:
      - {{name: volume, type: array, element-type: uint32, shape: [16, 64], memory: device{more}}}
    - name: look
      container: {{image: demo/look, command: <look>}}
      input:
      - {{from: fill, name: volume, type: array, element-type: uint32, shape: [16, 64]}}
      output:
      - {{name: report, path: /report, type: stream, element-type: text-report}}
"""


@pytest.fixture
def workshop(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setenv("CLARA_FASTIO_CUDA_DRIVER", str(fake_cuda.library()))
    return workshop


def run(workshop: Workshop, *, more: str = "", ordinal: int = 0) -> RunResult:
    workshop.program("fill", GPU + FILL.format(ordinal=ordinal))
    workshop.program("look", GPU + LOOK.format(ordinal=ordinal))
    return workshop.run(DEFINITION.format(more=more))


def test_arrays_on_a_device_go_from_operator_to_operator(workshop: Workshop) -> None:
    result = run(workshop)
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.result("look", "report", "text") == "(7, 7)"
    assert [edge.memory for edge in result.edges if edge.medium == "memory"] == ["device"]
    assert result.operators[0].state is OperatorState.COMPLETED


def test_producer_takes_the_device_that_the_definition_numbers(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_CUDA_DEVICES", "2")
    result = run(workshop, more=", device: 1", ordinal=1)
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.result("look", "report", "text") == "(7, 7)"


def test_operator_without_a_device_says_what_is_missing(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARA_FASTIO_CUDA_DRIVER", "/nowhere/libcuda.so.1")
    for name in ("fill", "look"):
        workshop.program(name, IDLE)
    result = workshop.run(DEFINITION.format(more=""))
    assert result.status is RunStatus.FAILED
    assert result.failure is not None
    assert result.failure.error == "DeviceNotFoundError"
    assert "/nowhere/libcuda.so.1" in result.failure.message
