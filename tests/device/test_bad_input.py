# SPDX-License-Identifier: Apache-2.0
"""Arguments that cannot be, each with an error that says what to do."""

from __future__ import annotations

import pytest

from tests.ipc.peer import RemoteError


@pytest.fixture
def peer(producer):
    """A process with ``x`` on the device, written once, and ``h`` on the host."""
    producer.run("x = device_variable(); write(x, 1); h = context.variable('h', shape=(8,))")
    return producer


CANNOT_BE = [
    ("context.create(0, memory='device')", "ValueError: .*size"),
    ("context.create(-1, memory='device')", "ValueError"),
    ("context.create(8, memory='gpu')", "ValueError: .*'host'.*'device'"),
    ("context.variable('y', shape=(3,), memory='gpu')", "ValueError: .*'host'.*'device'"),
    ("context.variable('y', shape=(3,), memory=1)", "TypeError|ValueError"),
    ("context.variable('y', shape=(3,), device=0)", "ValueError: .*memory='device'"),
    ("context.variable('y', shape=(3,), fallback='host')", "ValueError: .*device"),
    ("device_variable('y', fallback='disk')", "ValueError: .*'host'"),
    ("device_variable('y', pinned=True)", "ValueError: .*pinned"),
    ("x.map('r', stream='0')", "TypeError: a stream is"),
    ("x.map('r', stream=1.5)", "TypeError: a stream is"),
    ("x.map('r', stream=True)", "TypeError: a stream is"),
    ("x.map('r', stream=object())", "TypeError: a stream is"),
    ("x.map('r', stream=-1)", "ValueError: .*stream"),
    ("x.map('r', stream=2**64)", "ValueError: .*stream"),
    ("h.map('w', stream=s)", "ValueError: .*no stream"),
    ("h.map('w', stream=0)", "ValueError: .*no stream"),
    ("context.variable('x', shape=(1024,), dtype='u32')", "memory"),
    ("context.variable('h', shape=(8,), memory='device')", "memory"),
    ("x.map('q', stream=s)", "ValueError: a mode is one of"),
]


def test_argument_that_cannot_be(peer):
    for code, error in CANNOT_BE:
        with pytest.raises(RemoteError, match=error):
            peer.run(code)
    assert peer.run("read(x).values()") == [1, 1]
    assert sorted(peer.run("list(context)")) == ["h", "x"]


def test_handle_that_is_no_stream(peer):
    with pytest.raises(RemoteError, match=r"CudaError: .*(stream|INVALID_HANDLE)"):
        peer.run("x.map('w', stream=12345)")
    peer.run("write(x, 2)")
    assert peer.run("read(x).values()") == [2, 2]


def test_mapping_of_a_device_is_none_of_the_host(peer):
    peer.run("mapping = x.map('r', timeout=5, stream=s)")
    for code in (
        "np.asarray(mapping)",
        "memoryview(mapping)",
        "bytes(mapping)",
        "mapping.__array_interface__",
    ):
        with pytest.raises(RemoteError, match=r"(BufferError|AttributeError): .*device"):
            peer.run(code)
    peer.run("mapping.close()")


def test_mapping_of_the_host_has_nothing_of_a_device(peer):
    peer.run("mapping = h.map('w')")
    with pytest.raises(RemoteError, match=r"AttributeError: .*host"):
        peer.run("mapping.__cuda_array_interface__")
    assert peer.run("mapping.stream") is None
    assert peer.run("mapping.__dlpack_device__()") == [1, 0]
    with pytest.raises(RemoteError, match=r"BufferError: .*stream"):
        peer.run("mapping.__dlpack__(stream=1)")
    peer.run("mapping.commit()")


def test_map_on_a_stream_that_captures_a_graph(peer):
    peer.run("gpu.capture(s, True)")
    for mode in ("r", "w", "r+"):
        with pytest.raises(RemoteError, match=r"DeviceError: .*captur"):
            peer.run(f"x.map({mode!r}, timeout=1, stream=s)")
    peer.run("gpu.capture(s, False)")
    peer.run("write(x, 2)")
    assert peer.run("read(x).values()") == [2, 2]


def test_mapping_that_ends_while_its_stream_captures_a_graph(peer, consumer):
    consumer.run("x = context['x']")
    for mode in ("r", "w"):
        peer.run(f"mapping = x.map({mode!r}, timeout=5, stream=s); gpu.capture(s, True)")
        with pytest.raises(RemoteError, match=r"(DeviceError|CudaError): .*(captur|CAPTUR)"):
            peer.run("mapping.close()")
        peer.run("gpu.capture(s, False)")
        assert peer.run("mapping.is_open") is False
        peer.run("write(x, 3)")
        assert consumer.run("read(x).values()") == [3, 3]


def test_stream_objects_of_other_libraries(peer):
    peer.run(
        """
        import ctypes
        from types import SimpleNamespace as Object

        class Protocol:
            def __cuda_stream__(self):
                return (0, s)

        streams = [Protocol(), Object(ptr=s), Object(cuda_stream=s), Object(handle=s),
                   Object(handle=ctypes.c_void_p(s))]
        handles = []
        for stream in streams:
            mapping = x.map("r", timeout=5, stream=stream)
            handles.append(mapping.stream)
            mapping.close()
        """
    )
    assert peer.run("handles == [s] * 5")
    peer.run("mapping = x.map('r', timeout=5)")
    assert peer.run("mapping.stream") in {0, 1}
    peer.run("mapping.close()")


def test_use_after_close(peer):
    peer.run("mapping = x.map('r', timeout=5, stream=s); mapping.close(); mapping.close()")
    for name in ("pointer", "shape", "stream", "array", "__cuda_array_interface__"):
        with pytest.raises(RemoteError, match="ClosedError"):
            peer.run(f"mapping.{name}")
    with pytest.raises(RemoteError, match="ClosedError"):
        peer.run("mapping.__dlpack__()")


def test_locks_are_those_of_host_memory(peer, consumer):
    consumer.run("x = context['x']")
    peer.run("mapping = x.map('w', timeout=5, stream=s)")
    with pytest.raises(RemoteError, match="LockConflictError"):
        consumer.run("x.map('r', stream=s)")
    with pytest.raises(RemoteError, match="LockTimeoutError"):
        consumer.run("x.map('r', timeout=0.05, stream=s)")
    with pytest.raises(RemoteError, match="ReadOnlyError"):
        consumer.run("x.map('w', stream=s)")
    peer.run("mapping.abort()")
    with pytest.raises(RemoteError, match="LockAbandonedError"):
        consumer.run("x.map('r', timeout=1, stream=s)")
    peer.run("y = device_variable('y')")
    with pytest.raises(RemoteError, match="NotReadyError"):
        consumer.run("context['y'].map('r', timeout=0, stream=s)")


def test_mapping_that_is_dropped_is_given_up(peer, consumer):
    with pytest.raises(RemoteError, match="ResourceWarning"):
        peer.run(
            """
            import warnings
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                mapping = x.map("w", timeout=5, stream=s)
                gpu.fill(s, mapping.pointer, 512, 9)
                del mapping
            raise caught[0].message
            """
        )
    with pytest.raises(RemoteError, match="LockAbandonedError"):
        consumer.run("context['x'].map('r', timeout=1, stream=s)")
    peer.run("write(x, 3)")
    assert consumer.run("read(context['x']).values()") == [3, 3]
