# SPDX-License-Identifier: Apache-2.0
"""A context that this process hosts without any driver, and processes that have the fake one."""

from __future__ import annotations

import pytest

import clara_fastio as fastio
from tests.device.frames import FRAMES
from tests.device.gpu_peer import GpuPeer
from tests.helpers import fake_cuda
from tests.ipc.peer import Peer

_SETTINGS = {
    "transport": "CLARA_FASTIO_CUDA_TRANSPORT",
    "sync": "CLARA_FASTIO_CUDA_SYNC",
    "chosen": "CLARA_FASTIO_CUDA_DEVICES",
    "driver": "CLARA_FASTIO_CUDA_DRIVER",
    "visible": "CUDA_VISIBLE_DEVICES",
}


@pytest.fixture
def context(context_name):
    """A context that this process hosts; it never loads a driver."""
    with fastio.create_context(context_name, capacity=4096) as context:
        yield context


@pytest.fixture
def start_gpu(context, run_program):
    """Start a process on the fake driver that has the context open as ``context``.

    ``transport``, ``sync`` and so on are settings of the library, all else of the fake driver.
    """

    def start(context_name=context.name, pass_fds=(), **settings):
        environment = _environment(settings)
        return GpuPeer(run_program, context_name, environment, pass_fds=pass_fds)

    return start


@pytest.fixture
def start_framing(start_gpu):
    """Start a process that has `FRAMES`."""

    def start_with_frames(**settings):
        peer = start_gpu(**settings)
        peer.run(FRAMES)
        return peer

    return start_with_frames


@pytest.fixture
def start_bare(context, run_program):
    """Start a process as `start_gpu` does, but let it use no driver by itself."""

    def start(context_name=context.name, **settings):
        settings = {"driver": fake_cuda.library(), **settings}
        return Peer(run_program, context_name, environment=_environment(settings))

    return start


@pytest.fixture
def producer(start_gpu):
    """A process on the fake driver that makes things."""
    return start_gpu()


@pytest.fixture
def consumer(start_gpu):
    """A process on the fake driver that uses them."""
    return start_gpu()


def _environment(settings):
    return {
        _SETTINGS.get(name, f"FAKE_CUDA_{name.upper()}"): str(value)
        for name, value in settings.items()
    }
