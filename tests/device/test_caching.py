# SPDX-License-Identifier: Apache-2.0
"""Segments are opened once, never stale, and all memory comes back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.device import watching
from tests.helpers import leaks

MIB = 1 << 20
#: Large enough that each array has a segment of its own.
ALONE = 64 * MIB


@pytest.mark.parametrize("transport", ["vmm", "legacy"])
def test_nothing_is_opened_for_messages(start_gpu, transport):
    producer, consumer = (start_gpu(transport=transport, delay="0") for _ in range(2))
    producer.run("x = device_variable(); big = device_variable('big', (96 << 20) // 4)")
    producer.run("write(x, 0); write(big, 1)")
    consumer.run("x = context['x']; big = context['big']; read(x); read(big)")
    assert consumer.run("fastio.capabilities().opens") == 2
    producer.start("for i in range(10_000): write(x, i)")
    consumer.run("for i in range(10_000): last = read(x)")
    producer.result()
    assert consumer.run("last = read(x); last.values()") == [9999, 9999]
    assert consumer.run("fastio.capabilities().opens") == 2
    assert producer.run("fastio.capabilities().opens") == 0


@pytest.mark.parametrize(
    ("transport", "words", "rounds"),
    [
        ("vmm", 1024, 2000),
        ("vmm", 20 * MIB, 40),
        ("legacy", 1024, 300),
        ("legacy", 20 * MIB, 40),
    ],
)
def test_recycled_memory_is_never_stale(start_gpu, transport, words, rounds):
    producer, consumer = (start_gpu(transport=transport, delay="0-20") for _ in range(2))
    producer.run(
        f"""
        def make(number):
            x = device_variable("x", {words})
            mapping = x.map("w", timeout=20, stream=s)
            gpu.fill(s, mapping.pointer, 1024, number)
            mapping.commit()
            return x
        """
    )
    consumer.run(
        """
        def check(number):
            x = context["x"]
            mapping = x.map("r", timeout=20, stream=s)
            seen = gpu.read(s, mapping.pointer, 1024)
            mapping.close()
            assert seen.values() == [number, number], (number, seen.values())
        """
    )

    def go_on(first, last):
        for number in range(first, last):
            producer.run(f"x = make({number})")
            consumer.run(f"check({number})")
            producer.run("x.free()")

    go_on(0, rounds // 10)
    before = everything_held(producer, consumer)
    go_on(rounds // 10, rounds)
    watching.wait_until(
        lambda: at_most(everything_held(producer, consumer), before),
        f"no more is held than {before}",
    )


def test_all_memory_returns_when_everything_is_closed(start_gpu):
    for transport in ("vmm", "legacy", "host"):
        producer, consumer = (start_gpu(transport=transport) for _ in range(2))
        idle = watching.held_by(producer.pid)
        producer.run(
            f"""
            small, large = (device_variable(name, words, fallback="host")
                            for name, words in (("small", 100), ("large", {ALONE // 4})))
            write(small, 1)
            """
        )
        consumer.run("small, large = context['small'], context['large']; read(small).values()")
        consumer.run("gpu.finish(s); del small, large; context.close()")
        producer.run("gpu.finish(s); small.free(); large.free(); del small, large")
        producer.run("context.close()")
        for pid in (producer.pid, consumer.pid):
            watching.wait_until(
                lambda pid=pid, idle=idle: watching.held_by(pid) == idle,
                f"{transport}: {pid} gives back",
            )
        watching.wait_until(
            lambda: watching.held_by(os.getpid()) == (0, 0), f"{transport}: the host gives back"
        )
        assert producer.end() == consumer.end() == 0


def test_freed_array_stays_whole_for_who_has_it_mapped(producer, consumer):
    producer.run("x = device_variable(); write(x, 1)")
    consumer.run("x = context['x']; mapping = x.map('r', timeout=5, stream=s)")
    producer.run("x.free(); del x")
    producer.run("others = [device_variable(f'y{i}') for i in range(5)]")
    producer.run("for one in others: write(one, 2)")
    producer.run("gpu.finish(s)")
    consumer.run("seen = gpu.read(s, mapping.pointer, 1024); mapping.close()")
    assert consumer.run("seen.values()") == [1, 1]


def test_freed_array_is_not_recycled_while_a_read_is_under_way(producer, consumer):
    producer.run("x = device_variable(); write(x, 1)")
    consumer.run(
        """
        x = context["x"]
        mapping = x.map("r", timeout=5, stream=s)
        gate = gpu.Gate(s)
        seen = gpu.read(s, mapping.pointer, 1024, ms=5)
        mapping.close()
        x.release()
        del x, mapping
        """
    )
    producer.run("x.free(); del x")
    producer.run(
        """
        others = [device_variable(f"y{i}") for i in range(5)]
        for one in others:
            write(one, 2)
        """
    )
    consumer.run("gate.open()")
    assert consumer.run("seen.values()") == [1, 1]
    producer.run("gpu.finish(s)")


def test_least_used_mappings_go_above_the_limit(producer, consumer):
    producer.run(
        f"""
        for i in range(6):
            write(device_variable(f"x{{i}}", {ALONE // 4}), i)
        """
    )
    consumer.run(f"fastio._core.set_cache_limit({2 * ALONE})")
    consumer.run(
        """
        def look(i):
            variable = context[f"x{i}"]
            values = read(variable).values()
            variable.release()
            return values
        """
    )
    assert consumer.run("[look(i) for i in range(6)]") == [[i, i] for i in range(6)]
    watching.wait_until(
        lambda: consumer.run("fastio.capabilities().mapped") <= 2 * ALONE, "the limit is kept"
    )
    assert consumer.run("fastio.capabilities().evicted") >= 4
    assert consumer.run("[look(i) for i in range(6)]") == [[i, i] for i in range(6)]


def test_what_is_referred_to_is_not_given_up(producer, consumer):
    producer.run(f"x = device_variable('x', {ALONE // 4}); write(x, 3)")
    producer.run(f"y = device_variable('y', {ALONE // 4}); write(y, 4)")
    consumer.run("fastio._core.set_cache_limit(0)")
    consumer.run(
        """
        x = context["x"]
        mapping = x.map("r", timeout=5, stream=s)
        for _ in range(3):
            y = context["y"]
            assert read(y).values() == [4, 4]
            y.release()
        seen = gpu.read(s, mapping.pointer, 1024)
        mapping.close()
        """
    )
    assert consumer.run("seen.values()") == [3, 3]


def everything_held(*peers):
    return [
        sum(leaks.held_by(os.getpid()).values()),
        *watching.held_by(os.getpid()),
        *(count for peer in peers for count in watching.held_by(peer.pid)),
        *(sum(leaks.held_by(peer.pid).values()) for peer in peers),
        *(len(list(Path(f"/proc/{peer.pid}/fd").iterdir())) for peer in peers),
    ]


def at_most(found, allowed):
    return all(one <= other for one, other in zip(found, allowed, strict=True))
