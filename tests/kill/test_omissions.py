# SPDX-License-Identifier: Apache-2.0
"""Each wait and each signal of device work is left out once, and what checks the order notices.

The library names these steps in a section of its test build; one that nobody notices is either
superfluous or not tested.
"""

from __future__ import annotations

import contextlib

import pytest

from tests.kill import points
from tests.kill.devices import WAYS, Way
from tests.kill.doomed import PATIENCE, Doomed

#: Where a step exists, if not in the first order alone.
ORDERS = {
    "timeline.read_after_write": ("timeline", "events"),
    "timeline.write_after_write": ("timeline", "events"),
    "timeline.write_after_read": ("timeline", "events"),
    "promise.after_user": ("timeline", "events"),
    "promise.after_last": ("timeline", "events"),
    "promise.event": ("events",),
    "promise.synchronize": ("synchronize",),
    "access.stream_added": ("timeline", "events"),
    "access.streams_joined": ("timeline", "events", "synchronize"),
}

#: Several streams of one process need these; between processes nothing depends on them.
IN_ONE_PROCESS = ("promise.after_", "access.")

WRONG = 4
ROUNDS = 1
#: Of kernels, in nanoseconds: a reader looks while the writer is still at it.
LONG = 5_000_000
#: Microseconds before each operation of a stream, at random.
DELAY = "0-1000"


def omissions():
    names = points.names(section=points.OMISSIONS)
    return [(name, order) for name in names for order in ORDERS.get(name, ("timeline",))]


@pytest.fixture
def check(context_name):
    """Start a program that works on several streams and looks whether the order was kept."""
    with contextlib.ExitStack() as stack:

        def start(way, *, omitted=""):
            environment = way.environment(FAKE_CUDA_DELAY=DELAY, CLARA_FASTIO_OMIT=omitted)
            program = Doomed("device_order", context_name, ROUNDS, environment=environment)
            return stack.enter_context(program)

        yield start


def test_steps_can_be_left_out():
    assert set(ORDERS) <= set(points.names(section=points.OMISSIONS))


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_order_is_kept(way, check):
    program = check(way)
    death = program.wait_for_death()
    assert death.status == 0, program.errors


@pytest.mark.parametrize(("name", "order"), omissions())
@pytest.mark.parametrize("transport", ["vmm", "host"])
def test_program_notices_that_a_step_is_left_out(name, order, transport, check):
    program = check(Way(transport, order), omitted=name)
    death = program.wait_for_death()
    assert death.status == WRONG, f"{name} is left out, and nobody notices: {program.errors}"


@pytest.mark.parametrize(
    ("name", "order"), [one for one in omissions() if not one[0].startswith(IN_ONE_PROCESS)]
)
def test_reader_in_another_process_notices_that_a_step_is_left_out(name, order, context_name):
    environment = Way("vmm", order).environment(FAKE_CUDA_DELAY=DELAY, CLARA_FASTIO_OMIT=name)
    with contextlib.ExitStack() as stack:
        host = stack.enter_context(Doomed("host", context_name))
        assert host.wait_until_ready(), host.errors

        def start(role):
            return stack.enter_context(
                Doomed("device", context_name, role, "{state}", 1000, LONG, environment=environment)
            )

        keeper = start("keeper")
        assert keeper.wait_until_ready(), keeper.errors
        start("writer")
        reader = start("reader")
        assert reader.has_ended(PATIENCE), f"{name} is left out, and nobody notices"
        assert reader.wait_for_death().status == WRONG, reader.errors
