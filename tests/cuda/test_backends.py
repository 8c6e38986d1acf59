# SPDX-License-Identifier: Apache-2.0
"""T12: the same on every mechanism and every way to order work, each forced by the environment."""

from __future__ import annotations

import itertools

import pytest

from tests.cuda import scenarios

pytestmark = pytest.mark.study("T12")

TRANSPORTS = ("vmm", "legacy", "host")
ORDERS = ("timeline", "events", "synchronize")
WAYS = list(itertools.product(TRANSPORTS, ORDERS))


@pytest.mark.parametrize(("transport", "order"), WAYS, ids=["-".join(way) for way in WAYS])
def test_everything_works_and_tells_the_truth(
    start_peers, device, transport, order, record_property
):
    refusal = device["transports"].get(transport, "") or device["orders"][order]
    if refusal:
        pytest.xfail(f"it does not work here, and says so: {refusal}")
    environment = {"CLARA_FASTIO_CUDA_TRANSPORT": transport, "CLARA_FASTIO_CUDA_SYNC": order}
    producer, consumer = start_peers(2, environment=environment)
    options = {"fallback": "host"} if transport == "host" else {}
    scenarios.make(producer, consumer, **options)
    for peer in (producer, consumer):
        found = peer.run("""
            way = x.transport
            way.memory, way.order, way.memory_reason, way.order_reason
        """)
        assert found[:2] == [transport, order]
        record_property("reasons", found[2:])
    written = scenarios.read_while_written(producer, consumer)
    read = scenarios.write_while_read(producer, consumer)
    record_property("read while written", written)
    record_property("write while read", read)
    assert (written["wrong"], read["torn"], read["wrong"]) == (0, 0, 0)
    if order != "synchronize":
        assert written["map_is_early"]
        assert read["map_is_early"]
    assert scenarios.frames(producer, consumer, **options) == 0
    no_error_is_left(producer, consumer)


def no_error_is_left(*peers):
    """An error that a probe left behind would be raised by whatever comes next."""
    for peer in peers:
        assert peer.run("cp.cuda.runtime.deviceSynchronize(); gpu.works(s)")


def test_an_unknown_word_is_refused_by_name(start_peers):
    (peer,) = start_peers(environment={"CLARA_FASTIO_CUDA_TRANSPORT": "pigeon"})
    said = peer.run("""
        try:
            x = context.variable("x", shape=(8,), memory="device")
            x.map("w", timeout=10, stream=gpu.stream()).abort()
            said = ""
        except Exception as error:
            said = str(error)
        said
    """)
    assert "pigeon" in said
    assert "vmm, legacy, host" in said
