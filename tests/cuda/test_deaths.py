# SPDX-License-Identifier: Apache-2.0
"""T8, T9 and T10: processes are killed while the device works for them."""

from __future__ import annotations

import time

import pytest

from tests.cuda import scenarios
from tests.ipc.peer import RemoteError

pytestmark = pytest.mark.alone

GIB = 1 << 30
WORDS = GIB // 4

#: Of the memory that has to come back, what drivers keep for other reasons.
SLACK = 128 << 20

#: Seconds of a kernel that is to be running when its process dies.
ENDLESS = 20


@pytest.mark.study("T8")
def test_finished_content_outlives_its_producer(start_peers, context, record_property):
    consumer, producer = start_peers(2)
    baseline = consumer.run("gpu.free_memory()")
    scenarios.make(producer, consumer, words=WORDS)
    consumer.run("mapping = x.map('r', timeout=10, stream=s)")
    producer.program.kill()
    assert consumer.run("gpu.number(gpu.count(mapping.array, 1, s), s)") == 0
    consumer.run("mapping.close()")
    again = consumer.run("""
        with x.map("r", timeout=10, stream=s) as array:
            counted = gpu.count(array, 1, s)
        array = None
        gpu.number(counted, s)
    """)
    assert again == 0
    with pytest.raises(RemoteError, match="PeerDiedError"):
        consumer.run("x.wait(version=2, timeout=10)")
    consumer.run("mapping = counted = x = None")
    context["x"].free()
    free = consumer.run(f"gpu.wait_for_memory({baseline - SLACK})")
    record_property("bytes not given back", baseline - free)
    assert free >= baseline - SLACK


@pytest.mark.study("T9")
def test_killed_reader_does_not_stop_the_writer(start_peers, context, record_property):
    producer, consumer, other = start_peers(3)
    baseline = other.run("gpu.free_memory()")
    scenarios.make(producer, consumer, words=WORDS)
    consumer.run(f"""
        mapping = x.map("r", timeout=10, stream=s)
        gpu.spin({ENDLESS}, s)
        counted = gpu.count(mapping.array, 1, s)
    """)
    begin = time.monotonic()
    consumer.program.kill()
    killed = time.monotonic()
    producer.run("""
        with x.map("w", timeout=30, stream=s) as array:
            gpu.fill(array, 2, s)
        array = None
    """)
    record_property("kill_ms", 1e3 * (killed - begin))
    record_property("map_ms", 1e3 * (time.monotonic() - killed))
    producer.run("s.synchronize()")
    record_property("drained_ms", 1e3 * (time.monotonic() - killed))
    different = other.run("""
        s = gpu.stream()
        x = context["x"]
        with x.map("r", timeout=10, stream=s) as array:
            counted = gpu.count(array, 2, s)
        array = None
        gpu.number(counted, s)
    """)
    assert different == 0
    producer.program.kill()
    other.run("x = None")
    context["x"].free()
    assert other.run(f"gpu.wait_for_memory({baseline - SLACK})") >= baseline - SLACK


@pytest.mark.study("T9")
def test_reader_that_promised_and_died_is_not_waited_for(start_peers, record_property):
    producer, consumer = start_peers(2)
    scenarios.make(producer, consumer)
    consumer.run(f"""
        with x.map("r", timeout=10, stream=s) as array:
            gpu.spin({ENDLESS}, s)
            counted = gpu.count(array, 1, s)
        array = None
    """)
    producer.run("""
        mapping = x.map("w", timeout=10, stream=s)
        gpu.fill(mapping.array, 2, s)
        mapping.commit()
    """)
    assert producer.run("not s.done")
    begin = time.monotonic()
    consumer.program.kill()
    producer.run("s.synchronize()")
    record_property("drained_ms", 1e3 * (time.monotonic() - begin))
    different = producer.run("""
        with x.map("r", timeout=10, stream=s) as array:
            counted = gpu.count(array, 2, s)
        array = None
        gpu.number(counted, s)
    """)
    assert different == 0


@pytest.mark.study("T10")
def test_reader_that_waits_on_the_device_is_told_of_the_writers_death(start_peers, record_property):
    producer, consumer = start_peers(2)
    scenarios.make(producer, consumer)
    producer.run(f"""
        with x.map("w", timeout=10, stream=s) as array:
            gpu.spin({ENDLESS}, s)
            gpu.fill(array, 2, s)
            working = gpu.mark(s)
        array = None
    """)
    consumer.run("""
        mapping = x.map("r", timeout=10, stream=s)
        counted = gpu.count(mapping.array, 2, s)
    """)
    assert consumer.run("not s.done")
    assert producer.run("not working.done")
    begin = time.monotonic()
    producer.program.kill()
    record_property("kill_ms", 1e3 * (time.monotonic() - begin))
    consumer.run("s.synchronize()")
    record_property("drained_ms", 1e3 * (time.monotonic() - begin))
    with pytest.raises(RemoteError, match="PeerDiedError"):
        consumer.run("""
            mapping.close()
            x.map("r", timeout=10, stream=s)
        """)
    # The device works on for whoever is left.
    assert consumer.run("gpu.works(s)")


@pytest.mark.study("T10")
def test_map_after_the_writers_death_says_so(start_peers):
    producer, consumer = start_peers(2)
    scenarios.make(producer, consumer)
    producer.run(f"""
        mapping = x.map("w", timeout=10, stream=s)
        gpu.spin({ENDLESS}, s)
        gpu.fill(mapping.array, 2, s)
        mapping.commit()
    """)
    producer.program.kill()
    with pytest.raises(RemoteError, match="PeerDiedError"):
        consumer.run("""
            mapping = x.map("r", timeout=30, stream=s)
            s.synchronize()
            mapping.close()
        """)


@pytest.mark.study("T10")
def test_content_is_torn_when_the_writer_dies_before_its_unmap(start_peers):
    producer, consumer = start_peers(2)
    scenarios.make(producer, consumer)
    producer.run("""
        mapping = x.map("w", timeout=10, stream=s)
        gpu.fill(mapping.array, 2, s)
        s.synchronize()
    """)
    producer.program.kill()
    with pytest.raises(RemoteError, match=r"LockAbandonedError|PeerDiedError"):
        consumer.run("""
            mapping = x.map("r", timeout=30, stream=s)
            mapping.close()
        """)
