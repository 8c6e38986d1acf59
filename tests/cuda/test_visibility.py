# SPDX-License-Identifier: Apache-2.0
"""T13: processes see the devices in another order, or not at all."""

from __future__ import annotations

import pytest

from tests.cuda import scenarios
from tests.ipc.peer import RemoteError

pytestmark = pytest.mark.study("T13")


def test_consumer_without_devices_is_told_what_hides_them(start_peers):
    producer, neighbour = start_peers(2)
    scenarios.make(producer, neighbour)
    (blind,) = start_peers(environment={"CUDA_VISIBLE_DEVICES": ""}, prelude="import time")
    with pytest.raises(RemoteError, match="DeviceNotFoundError") as raised:
        blind.run("context['x'].map('r', timeout=10, stream=0)")
    assert "CUDA_VISIBLE_DEVICES" in str(raised.value)


def test_consumer_that_sees_the_device_by_its_uuid_reads(start_peers, device):
    (producer,) = start_peers()
    (consumer,) = start_peers(environment={"CUDA_VISIBLE_DEVICES": device["uuid"]})
    scenarios.make(producer, consumer)
    assert consumer.run("x.device") == device["uuid"]
    assert consumer.run("fastio.capabilities().devices[0].uuid") == device["uuid"]


def test_devices_in_another_order_are_found_by_uuid(
    start_peers, capabilities, device, record_property
):
    devices = capabilities["devices"]
    record_property("devices", len(devices))
    numbers = ",".join(str(one["ordinal"]) for one in reversed(devices))
    (producer,) = start_peers()
    (consumer,) = start_peers(environment={"CUDA_VISIBLE_DEVICES": numbers})
    scenarios.make(producer, consumer, device=device["uuid"])
    found = consumer.run("""
        mapping = x.map("r", timeout=10, stream=s)
        ordinal = mapping.__dlpack_device__()[1]
        mapping.close()
        fastio.capabilities().devices[ordinal].uuid
    """)
    assert found == device["uuid"]


def test_a_device_that_is_not_there_is_named(start_peers):
    (peer,) = start_peers()
    with pytest.raises(RemoteError, match="DeviceNotFoundError"):
        peer.run("""
            x = context.variable("x", shape=(8,), memory="device", device=99)
            x.map("w", timeout=10, stream=gpu.stream())
        """)
