# SPDX-License-Identifier: Apache-2.0
"""T15: host memory that is registered once, copies from it that run beside the host, and forks."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.study("T15")

NBYTES = 256 << 20

#: A copy out of memory that is not registered would wait for the stream before it.
COPY = """
    target = cp.empty(host.shape, host.dtype)
    gpu.spin(1, s)
    cp.cuda.runtime.memcpyAsync(target.data.ptr, host.ctypes.data, host.nbytes, 1, s.ptr)
    working = gpu.mark(s)
    is_early = not working.done
"""


@pytest.fixture
def pinned_pair(pair):
    """A producer and a consumer of pinned host memory, both with it in use."""
    producer, consumer = pair
    producer.run(f"""
        s = gpu.stream()
        x = context.variable("x", shape=({NBYTES},), pinned=True)
        with x.map("w", timeout=30) as host:
            host[...] = 7
        host = None
    """)
    consumer.run("""
        s = gpu.stream()
        x = context["x"]
        with x.map("r", timeout=30) as host:
            first = int(host[0])
        host = None
    """)
    return producer, consumer


def test_both_sides_register_and_copies_run_beside_the_host(pinned_pair, device, record_property):
    refusals = [peer.run("x.pin_refusal") for peer in pinned_pair]
    record_property("refusals", refusals)
    assert [peer.run("x.is_pinned") for peer in pinned_pair] == [not text for text in refusals]
    assert bool(refusals[0]) == bool(device["pinning"])
    if device["pins_read_only"]:
        assert refusals[1] == ""
    for peer, mode, refusal in zip(pinned_pair, ("r+", "r"), refusals, strict=True):
        is_early, different = peer.run(
            f"mapping = x.map({mode!r}, timeout=30)\nhost = mapping.array"
            + COPY.replace("\n    ", "\n")
            + "host = None\n"
            "different = gpu.number(gpu.count(target, 0x07070707, s), s)\n"
            "mapping.close()\n"
            "target = None\n"
            "is_early, different"
        )
        record_property(f"{mode}: the copy came back early", is_early)
        assert different == 0
        if not refusal:
            assert is_early


def test_pinned_memory_is_let_go_of_in_any_order(pinned_pair, context):
    producer, consumer = pinned_pair
    consumer.run("mapping = x.map('r', timeout=30); host = mapping.array; mapping.close()")
    producer.program.kill()
    consumer.run("x = mapping = None")
    context["x"].free()
    assert consumer.run("int(host[0])") == 7
    assert consumer.run("host = None; context.close(); gpu.works(s)")
    assert consumer.end() == 0


def test_a_child_that_was_forked_is_refused(start_peers):
    (peer,) = start_peers()
    peer.run("""
        s = gpu.stream()
        x = context.variable("x", shape=(64,), dtype="u32", memory="device")
        with x.map("w", timeout=10, stream=s) as array:
            gpu.fill(array, 1, s)
        array = None
        s.synchronize()
        handle = s.ptr

        def in_child(attempt):
            child = os.fork()
            if child == 0:
                try:
                    attempt()
                except fastio.ForkedContextError:
                    os._exit(42)
                except BaseException:
                    os._exit(1)
                os._exit(0)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    """)
    assert peer.run("in_child(lambda: x.map('r', timeout=1, stream=handle))") == 42
    assert peer.run("in_child(lambda: fastio.capabilities().devices[0])") != 0
    assert (
        peer.run("""
            with x.map("r", timeout=10, stream=s) as array:
                counted = gpu.count(array, 1, s)
            array = None
            gpu.number(counted, s)
        """)
        == 0
    )
