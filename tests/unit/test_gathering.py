# SPDX-License-Identifier: Apache-2.0
"""Frames of several workers, in order again."""

from __future__ import annotations

import random
import threading
import time

import pytest

import clara_fastio as fastio
from clara_fastio import Queue, gather


@pytest.fixture
def outputs(context):
    """The outputs of three workers."""
    return [
        context.variable(f"w{i}", shape=(1,), dtype="u16", queue=Queue(depth=4)) for i in range(3)
    ]


def make(output, number):
    with output.next(number=number, timeout=5) as array:
        array[0] = number


def test_order_is_restored(context, outputs):
    source = context.variable("source", shape=(1,), queue=Queue(depth=4))
    merged = gather(*[output.frames() for output in outputs])
    shares = [source.frames(share="workers") for _ in outputs]

    def work(frames, output):
        for frame in frames:
            time.sleep(random.random() / 2000)
            make(output, frame.number)
        output.finish()

    threads = [
        threading.Thread(target=work, args=pair) for pair in zip(shares, outputs, strict=True)
    ]
    threads.append(threading.Thread(target=lambda: [None for _ in source.frames(300)]))
    for thread in threads:
        thread.start()
    assert [frame.number for frame in merged] == list(range(300))
    assert merged.missing == 0
    for thread in threads:
        thread.join()


def test_what_is_missing_is_counted(outputs):
    merged = gather(*[output.frames() for output in outputs])
    make(outputs[0], 0)
    make(outputs[1], 3)
    make(outputs[2], 5)
    for output in outputs:
        output.finish()
    assert [frame.number for frame in merged] == [0, 3, 5]
    assert merged.missing == 3


def test_frame_that_is_due_comes_without_waiting_for_the_others(outputs):
    merged = gather(*[output.frames() for output in outputs], timeout=0)
    make(outputs[1], 0)
    assert next(merged).number == 0
    make(outputs[2], 2)
    with pytest.raises(fastio.LockTimeoutError, match="frame 1 did not come"):
        next(merged)


def test_patience_ends(outputs):
    merged = gather(*[output.frames() for output in outputs], patience=0.02)
    make(outputs[1], 4)
    assert next(merged).number == 4
    assert merged.missing == 4


def test_nothing_to_gather_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        gather()
