# SPDX-License-Identifier: Apache-2.0
"""A context that this process hosts, and other processes that use it."""

from __future__ import annotations

import pytest

import clara_fastio as fastio
from tests.ipc.peer import Peer


@pytest.fixture
def context(context_name):
    """A context that this process hosts."""
    with fastio.create_context(context_name, capacity=1024) as context:
        yield context


@pytest.fixture
def start_peer(run_program):
    """Start another process; with the name of a context, it opens that as ``context``."""

    def start(context_name=None, **options):
        return Peer(run_program, context_name, **options)

    return start


@pytest.fixture
def peer(context, start_peer):
    """Another process that has the context open as ``context``."""
    return start_peer(context.name)


@pytest.fixture
def block(context):
    """1024 numbers that everybody may write, published as ``block``."""
    block = context.create(8192)
    block.set_type_and_dimensions("u64", (1024,))
    with block.map("w") as array:
        array[...] = 0
    block.publish("block")
    return block
