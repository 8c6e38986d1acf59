# SPDX-License-Identifier: Apache-2.0
"""A program that a strict type checker accepts."""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import clara_fastio as fastio
from clara_fastio.testing import debug_mode, temporary_context


def host() -> None:
    with fastio.create_context("scan-42", capacity=10, memory_limit=1 << 30) as context:
        volume = context.variable("volume", shape=(None, 512, 512), dtype="uint16", order="F")
        assert_type(volume, fastio.Variable)
        volume.update_shape((120, 512, 512))
        volume.allocate()
        volume.attrs = {"spacing": [0.5, 0.5, 1.0]}
        volume.attrs["units"] = "mm"
        with volume.map("w") as array:
            assert_type(array, NDArray[Any])
            array[...] = 7
        assert_type(volume.shape, tuple[int | None, ...])
        assert_type(volume.wait(version=2, timeout=None), int)
        context.declare("x", (1, 2), np.float32, producer="scan", sealed=True)
        assert_type(context.connection("scan"), int)
        context.adopt(0, "scan")
        assert_type([entry.nbytes for entry in context.entries()], list[int])
        assert_type([process.age for process in context.processes()], list[float])


def peer() -> None:
    context = fastio.open_context("scan-42", timeout=5)
    found = context["volume"]
    assert_type(found, fastio.Variable | fastio.Allocation)
    if isinstance(found, fastio.Variable):
        assert_type(found.version, int)
    mapping = found.map(fastio.AccessMode.READ, timeout=0.5, dirty=True)
    assert_type(np.asarray(mapping).nbytes, int)
    assert_type(memoryview(mapping).nbytes, int)
    np.from_dlpack(mapping)
    mapping.commit()
    mapping.close()
    block = context.create(1 << 20, zero=True)
    block.set_type_and_dimensions(fastio.ElementType.FLOAT32, (512, 512))
    block.publish("scratch")
    assert_type(context.get("scratch", timeout=1), fastio.Allocation)
    assert_type(block.element_type, fastio.ElementType)
    block.free()
    context.close()


def streams() -> None:
    context = fastio.create_context("camera")
    queue = fastio.Queue(depth=4, policy="sample(3)", max_shape=(10, 4), spin=0)
    output = context.variable("frames", shape=(None, 4), dtype="u16", queue=queue)
    output.reserve("disk", policy="block", deadline=0.1)
    with output.next(timeout=1, shape=(3, 4), number=7, header=b"x") as array:
        assert_type(array, NDArray[Any])
    for made in output.frames(10, timeout=None):
        assert_type(made, NDArray[Any])
    output.finish()
    with output.frames(name="disk", timeout=1) as frames:
        for frame in frames:
            assert_type(frame.array, NDArray[Any])
            assert_type(frame.timestamp, int)
            assert_type(frame.header, bytes)
    merged = fastio.gather(output.frames(share="a"), output.frames(share="a"), patience=1)
    assert_type([one.number for one in merged], list[int])
    assert_type([edge.dropped for edge in output.stream.edges], list[int])
    assert_type(output.stream.edges[0].latency(0.5), float)


async def awaited(output: fastio.Variable) -> None:
    async for frame in output.frames():
        assert_type(frame.shape, tuple[int, ...])


def late() -> None:
    fastio.Driver().start()
    fastio.install_as_clara()


def users_tests() -> None:
    with debug_mode(enabled=False), temporary_context() as context:
        assert_type(context, fastio.Context)
