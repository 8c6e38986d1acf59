# SPDX-License-Identifier: Apache-2.0
"""T4: a stray write through a read map hurts the process that does it, and nobody else."""

from __future__ import annotations

import pytest

from tests.cuda import scenarios
from tests.ipc.peer import RemoteError

pytestmark = [pytest.mark.study("T4"), pytest.mark.alone]


def test_write_through_a_read_map_faults_the_writer_only(start_peers, device, record_property):
    producer, consumer, offender = start_peers(3)
    scenarios.make(producer, consumer)
    is_protected = offender.run("""
        s = gpu.stream()
        mapping = context["x"].map("r", timeout=10, stream=s)
        mapping.is_write_protected, context["x"].transport.read_only
    """)
    record_property("is_protected", is_protected)
    if device["read_only"]:
        # The driver refuses such maps: then it has to be said, and nothing more can be asked for.
        record_property("not protected", device["read_only"])
        assert is_protected == [False, False]
        return
    assert is_protected == [True, True]
    with pytest.raises(RemoteError) as raised:
        offender.run("""
            gpu.fill(mapping.array, 13, s)
            s.synchronize()
        """)
    record_property("error", str(raised.value).splitlines()[0][:200])
    offender.program.kill()
    different = consumer.run("""
        with x.map("r", timeout=10, stream=s) as array:
            counted = gpu.count(array, 1, s)
        array = None
        gpu.number(counted, s)
    """)
    assert different == 0
    found = scenarios.read_while_written(producer, consumer)
    assert found["wrong"] == 0
