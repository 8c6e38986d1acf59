# SPDX-License-Identifier: Apache-2.0
"""Typed inputs and outputs in a job; each operator is a separate program."""

from __future__ import annotations

import numpy as np
import pytest

from clara_fastio.errors import LockAbandonedError
from tests.driver.job import declare

CT = declare("ct", "uint16", [2, 3], "scanner/ct")
MASK = declare("mask", "uint8", [2, 3])
BOXES = declare("boxes", "float32", [-1, 4])


@pytest.fixture
def ct(job) -> str:
    """The name of an input that is complete."""
    with job.declare(CT).map("w") as array:
        array[...] = np.arange(6).reshape(2, 3)
    return CT["variable"]


def test_a_fixed_output_has_memory_when_its_operator_has_started(job, runner_end) -> None:
    """Items 89 and 108: not before, and without a call."""
    mask = job.declare(MASK, producer="operator")
    assert not mask.is_allocated
    program = job.start("operator", "run(None)", outputs=[MASK], runner_end=runner_end)
    runner_end.read_until(kind="phase", phase="waiting")
    assert mask.is_allocated
    runner_end.send(kind="ready")
    program.finish()


def test_execute_sees_what_the_producer_wrote(job, runner_end) -> None:
    """Items 18 and 102."""
    variable = job.declare(CT, producer="scanner")
    consumer = job.start(
        "operator",
        """
def execute(driver, payload):
    with payload.fastio_input_entries["ct"].map() as array:
        print(array.tolist())
run(execute, prepare_handler=lambda _: print("prepare", flush=True))
""",
        inputs=[CT],
        runner_end=runner_end,
    )
    consumer.expect("prepare")
    runner_end.read_until(kind="phase", phase="waiting")
    assert variable.version == 0
    producer = job.start(
        "scanner",
        """
def execute(driver, payload):
    with payload.outputs["ct"].map("w") as array:
        array[...] = np.arange(6).reshape(2, 3)
run(execute)
""",
        outputs=[CT],
    )
    producer.finish()
    assert variable.version == 1
    runner_end.send(kind="ready")
    assert consumer.finish() == "[[0, 1, 2], [3, 4, 5]]\n"


def test_an_input_can_be_read_only(job, ct) -> None:
    """Items 100 and 101."""
    program = job.start(
        "operator",
        """
def execute(driver, payload):
    (ct,) = payload.fastio_input_entries
    assert ct.access == "r" and ct.is_allocated and not ct.is_dynamic
    assert (ct.shape, ct.size, ct.element_type) == ([2, 3], 12, "uint16")
    for mode in ("write", "w", "rw", "r+"):
        refused(errors.ReadOnlyError, ct.map, mode)
    refused(errors.ReadOnlyError, ct.update_shape, [2, 4])
    refused(errors.ReadOnlyError, ct.allocate)
    refused(errors.ReadOnlyError, payload.inputs["ct"].map, "w")
    array = np.frombuffer(ct.map(), dtype=np.uint16)
    assert not array.flags.writeable
    refused(ValueError, array.setflags, True)
    assert array.sum() == 15
    del array
    ct.unmap()
run(execute)
""",
        inputs=[CT],
    )
    program.finish()
    with job.context[ct].map("r") as array:
        assert array.sum() == 15


def test_the_shape_of_an_open_input_is_that_of_its_content(job) -> None:
    """Part 5.3."""
    boxes = job.declare(BOXES)
    boxes.update_shape((5, 4))
    boxes.allocate()
    with boxes.map("w") as array:
        array[...] = 1
    program = job.start(
        "operator",
        """
def execute(driver, payload):
    (boxes,) = payload.fastio_input_entries
    print(boxes.shape, boxes.size, boxes.is_dynamic, boxes.dynamic_indices)
    refused(errors.ReadOnlyError, boxes.update_shape, [6, 4])
run(execute)
""",
        inputs=[BOXES],
    )
    assert program.finish() == "[5, 4] 80 True [0]\n"


@pytest.mark.usefixtures("ct")
def test_two_operators_hold_one_output_at_the_same_time(job) -> None:
    """Item 107."""
    source = """
def execute(driver, payload):
    with payload.fastio_input_entries["ct"].map() as array:
        print("mapped", flush=True)
        input()
        print(array.sum())
run(execute)
"""
    programs = [job.start(f"reader{number}", source, inputs=[CT]) for number in range(2)]
    for program in programs:
        program.expect("mapped")
    for program in programs:
        program.send()
    assert [program.finish() for program in programs] == ["15\n", "15\n"]


FILL = """
def fill(driver, payload):
    out = payload.fastio_output_entries[0]
    assert out.is_dynamic and list(out.dynamic_indices) == [0]
    out.update_shape([120, 4])
    out.allocate()
    view = out.map()
    np.frombuffer(view, dtype=np.float32)[:] = 2
    out.unmap()
    return True
run(fill)
"""


def test_an_open_output_is_filled_in_the_style_of_the_original(job) -> None:
    """Part 8.2, the third example; items 95 and 97."""
    boxes = job.declare(BOXES, producer="operator")
    job.start("operator", FILL, outputs=[BOXES]).finish()
    with boxes.map("r") as array:
        assert array.shape == (120, 4)
        assert array.min() == array.max() == 2


def test_an_output_that_was_left_mapped_counts_as_written_after_a_success(job) -> None:
    mask = job.declare(MASK, producer="operator")
    program = job.start(
        "operator",
        """
def execute(driver, payload):
    payload.fastio_output_entries["mask"].map().array[...] = 5
run(execute)
""",
        outputs=[MASK],
    )
    program.finish()
    with mask.map("r") as array:
        assert array.tolist() == [[5, 5, 5], [5, 5, 5]]


def test_an_output_that_was_left_mapped_is_torn_after_a_failure(job) -> None:
    mask = job.declare(MASK, producer="operator")
    program = job.start(
        "operator",
        """
def execute(driver, payload):
    payload.fastio_output_entries["mask"].map().array[0] = 5
    raise ValueError("half is written")
run(execute)
""",
        outputs=[MASK],
    )
    assert program.wait() == 3
    with pytest.raises(LockAbandonedError):
        mask.map("r")


def test_a_context_that_cannot_be_opened_fails_the_operator(run_program, runner_end) -> None:
    program = run_program(
        """
        from clara_fastio.driver import Driver
        seen = []
        driver = Driver(
            lambda _: seen.append("prepare"),
            lambda *_: seen.append("execute"),
            lambda _: seen.append("cleanup"),
        )
        driver.start()
        driver.wait_for_completion()
        print(*seen)
        """,
        environment={
            **runner_end.environment,
            "CLARA_FASTIO_SOCKET": "fd:999",
            "CLARA_FASTIO_OUTPUTS": f"[{MASK}]".replace("'", '"'),
        },
        pass_fds=[runner_end.fd],
    )
    runner_end.close_fd()
    failed = runner_end.read_until(kind="failed")
    assert failed["phase"] == "prepare"
    assert program.finish() == "cleanup\n"
