# SPDX-License-Identifier: Apache-2.0
"""T2 and T3: the work of two processes is in order on the device, and neither host waits for it.

That a host did not wait is proved by what was still running when it came back, not by a clock: a
call that synchronised anything could not have returned before the kernel of a second. The times are
recorded beside.
"""

from __future__ import annotations

import pytest

from tests.cuda import scenarios


@pytest.mark.study("T2")
def test_reader_maps_while_the_writer_works_and_sees_what_comes_of_it(pair, record_property):
    scenarios.make(*pair)
    found = scenarios.read_while_written(*pair)
    for name, value in found.items():
        record_property(name, value)
    assert found["wrong"] == 0
    assert found["unmap_is_early"]
    assert found["map_is_early"]


@pytest.mark.study("T3")
def test_slow_reader_sees_the_whole_old_content(pair, record_property):
    scenarios.make(*pair)
    found = scenarios.write_while_read(*pair)
    for name, value in found.items():
        record_property(name, value)
    assert found["torn"] == 0
    assert found["wrong"] == 0
    assert found["reader_unmap_is_early"]
    assert found["map_is_early"]


@pytest.mark.study("T2")
def test_frames_are_in_order(pair):
    scenarios.make(*pair)
    assert scenarios.frames(*pair) == 0


@pytest.mark.study("T2")
def test_default_stream_is_the_current_one_of_cupy(pair):
    producer, consumer = pair
    scenarios.make(producer, consumer)
    assert producer.run("""
        with s, x.map("w", timeout=10) as array:
            gpu.spin(0.2, s)
            gpu.fill(array, 9, s)
        array = None
        with s:
            mapping = x.map("r", timeout=10)
        found = mapping.stream == s.ptr
        mapping.close()
        found
    """)
    assert (
        consumer.run("""
            with s, x.map("r", timeout=10) as array:
                counted = gpu.count(array, 9, s)
            array = None
            gpu.number(counted, s)
        """)
        == 0
    )
