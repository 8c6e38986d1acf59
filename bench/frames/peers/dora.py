# SPDX-License-Identifier: Apache-2.0
"""dora: nodes that its own daemon starts, joined by a dataflow.

Messages go from node to node in zenoh's shared memory. An input with the policy ``backpressure``
gets its messages over a socket of the daemon instead, which is the variant ``reliable``: with the
other one frames get lost although no queue is full. A full queue drops frames with both policies,
so a node that has received a frame sends a message back, and the sender counts.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Client, Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dora
import numpy as np
import pyarrow as pa

from bench.frames import process
from bench.frames.chain import Chain
from bench.frames.plan import PATIENCE, ROLES, Plan
from bench.harness.workers import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("dora-rs", "dora-rs-cli")
IS_PINNED = False

_POOL_NBYTES = 256 << 20

#: Many more than are ever in flight.
_QUEUES = {
    "direct": {"queue_size": 100},
    "reliable": {"queue_size": 100, "queue_policy": "backpressure"},
}
#: Nodes greet each other for as long; what is sent before goes another way, or nowhere.
_GREETING = 3.0


class Node:
    """A node's one stream of events, sorted by input."""

    def __init__(self) -> None:
        self._node = dora.Node()
        self._waiting = collections.defaultdict(collections.deque)

    def take(self, name: str) -> pa.Array:
        """Wait for what comes next at one input."""
        waiting = self._waiting[name]
        while not waiting:
            event = self._node.next(timeout=PATIENCE)
            if event is None or event["type"] == "ERROR":
                raise TimeoutError(f"nothing came at {name} within {PATIENCE:g} s")
            if event["type"] == "INPUT":
                self._waiting[event["id"]].append(event["value"])
        return waiting.popleft()

    def message(self, name: str, nbytes: int) -> Any:
        """Get memory for a message."""
        return self._node.send_output_raw(name, nbytes)

    def put(self, name: str, value: pa.Array) -> None:
        """Send something."""
        self._node.send_output(name, value)


class FrameSender:
    """Fills messages where they will be read."""

    def __init__(self, node: Node, nbytes: int, depth: int) -> None:
        self._node = node
        self._nbytes = nbytes
        self._names = f"frame-{nbytes}", f"free-{nbytes}"
        self._credits = depth

    def next(self) -> np.ndarray:
        """Wait until one more may be in flight."""
        if self._credits:
            self._credits -= 1
        else:
            self._node.take(self._names[1])
        self._message = self._node.message(self._names[0], self._nbytes)
        self._frame = np.frombuffer(self._message.as_memoryview(), np.uint8)
        # dora wants no array on its memory when it is sent.
        return self._frame

    def send(self) -> None:
        """Send it."""
        self._frame = None
        self._message.send()

    def finish(self) -> None:
        """Send what is too short to be a frame."""
        self._node.put(self._names[0], pa.array([0], pa.uint8()))


class FrameReceiver:
    """Reads messages where they are."""

    def __init__(self, node: Node, nbytes: int) -> None:
        self._node = node
        self._names = f"frame-{nbytes}", f"free-{nbytes}"
        self._nothing = pa.array([0], pa.uint8())

    def receive(self) -> np.ndarray | None:
        """Wait for one."""
        self._value = self._node.take(self._names[0])
        return self._value.to_numpy() if len(self._value) > 1 else None

    def release(self) -> None:
        """Let it go, and say so."""
        self._value = None
        self._node.put(self._names[1], self._nothing)


@contextlib.contextmanager
def chain(plan: Plan) -> Iterator[Chain]:
    """Let dora start the processes, and wait until they connect."""
    with tempfile.TemporaryDirectory() as folder, Listener(f"{folder}/orders") as listener:
        flow = Path(folder, "dataflow.yml")
        flow.write_text(json.dumps(_dataflow(plan, listener.address)))
        with _dora(flow) as daemon:
            orders = {}
            for _ in plan.roles:
                listener._listener._socket.settimeout(3 * PATIENCE)  # noqa: SLF001 - it has no other
                connection = listener.accept()
                role, pid = connection.recv()
                orders[role] = connection, pid
            connections, pids = zip(*(orders[role] for role in plan.roles), strict=True)
            yield Chain(connections, pids, (daemon.pid,))


@contextlib.contextmanager
def _dora(flow: Path) -> Iterator[subprocess.Popen]:
    program = Path(sys.executable).with_name("dora")
    environment = {**os.environ, "DORA_NODE_SHM_POOL_SIZE": str(_POOL_NBYTES)}
    command = [program, "run", flow, "--log-level", "error"]
    nothing = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    process = subprocess.Popen(command, cwd=flow.parent, env=environment, **nothing)
    try:
        yield process
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()


def _dataflow(plan: Plan, address: Any) -> dict[str, Any]:
    producers = {edge: role for role, (_, edge) in ROLES[plan.kind].items()}
    consumers = {edge: role for role, (edge, _) in ROLES[plan.kind].items()}
    nodes = []
    for role, (incoming, outgoing) in ROLES[plan.kind].items():
        inputs, outputs = {}, []
        for nbytes in plan.sizes:
            frame, free = f"frame-{nbytes}", f"free-{nbytes}"
            if incoming is not None:
                inputs[frame] = _input(producers[incoming], frame, plan)
                outputs.append(free)
            if outgoing is not None:
                inputs[free] = _input(consumers[outgoing], free, plan)
                outputs.append(frame)
        nodes.append(
            {
                "id": role,
                "path": sys.executable,
                "args": f"-m bench.frames.peers.dora {role} {address}",
                "env": {"PYTHONPATH": str(ROOT), "BENCH_PLAN": plan.to_json()},
                "inputs": inputs,
                "outputs": outputs,
            }
        )
    return {"nodes": nodes}


def _input(role: str, name: str, plan: Plan) -> dict[str, Any]:
    return {"source": f"{role}/{name}", **_QUEUES[plan.variant]}


def main() -> None:
    """Be a node."""
    role, address = sys.argv[1:]
    plan = Plan.from_json(os.environ["BENCH_PLAN"])
    incoming, outgoing = ROLES[plan.kind][role]
    with Client(address) as orders:
        orders.send((role, os.getpid()))
        with process.told_of_failures(orders):
            process.settle(plan, role, is_pinned=IS_PINNED)
            node = Node()
            opened = {
                nbytes: (
                    None if incoming is None else FrameReceiver(node, nbytes),
                    None if outgoing is None else FrameSender(node, nbytes, plan.depth),
                )
                for nbytes in plan.sizes
            }
            time.sleep(_GREETING)
            process.take_orders(role, opened, orders)


if __name__ == "__main__":
    main()
