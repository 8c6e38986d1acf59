# SPDX-License-Identifier: Apache-2.0
"""T11: processes that see different process numbers, System V memory or file systems.

The socket of a context is abstract, and such a one belongs to the network's namespace, which all of
these share. So everything has to work; what does not has to say why, by an error of ours.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cuda import scenarios
from tests.cuda.conftest import PRELUDE, python_path
from tests.helpers.processes import ProgramError
from tests.ipc.peer import Peer, RemoteError

pytestmark = pytest.mark.study("T11")

MOUNT, IPC, PID = 0x20000, 0x8000000, 0x20000000
NAMESPACES = {
    "none": 0,
    "pid": PID,
    "ipc": IPC,
    "mount": MOUNT,
    "pid, ipc and mount": PID | IPC | MOUNT,
}

#: Enters new namespaces and goes on as the program; in a new PID namespace that is process 1 there.
LAUNCHER = f"""
import ctypes, os, signal, sys
flags, program = int(sys.argv[1]), sys.argv[2]
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(flags):
    print("refused: " + os.strerror(ctypes.get_errno()), flush=True)
    sys.exit(0)
if flags & {PID} and (child := os.fork()):
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 255)
libc.prctl(1, int(signal.SIGKILL))
os.execv(sys.executable, [sys.executable, "-W", "error", program])
"""


@pytest.fixture
def start_inside(run_program, context):
    """Start a process in namespaces of its own."""

    def start(namespaces, environment=None) -> Peer:
        def run_inside(program, **options):
            return run_program(LAUNCHER, NAMESPACES[namespaces], program, **options)

        environment = {"PYTHONPATH": python_path(), **(environment or {})}
        try:
            peer = Peer(run_inside, None, environment=environment, timeout=55)
        except ProgramError as error:
            if "refused: " in str(error):
                pytest.xfail(f"this machine makes no such namespace: {error}")
            raise
        peer.run(PRELUDE)
        peer.run(f"context = fastio.open_context({context.name!r})")
        return peer

    return start


@pytest.mark.parametrize("namespaces", [name for name in NAMESPACES if name != "none"])
def test_consumer_in_other_namespaces_reads(start_inside, namespaces, record_property):
    producer, consumer = start_inside("none"), start_inside(namespaces)
    scenarios.make(producer, consumer)
    record_property("transport", consumer.run("repr(x.transport)"))
    record_property("ptrace_scope", ptrace_scope())
    found = scenarios.read_while_written(producer, consumer)
    assert found["wrong"] == 0
    assert scenarios.write_while_read(producer, consumer)["torn"] == 0


@pytest.mark.parametrize("transport", ["vmm", "legacy"])
@pytest.mark.parametrize("sync", ["timeline", "events"])
def test_two_that_are_both_process_1_share_or_say_why_not(
    start_inside, transport, sync, record_property
):
    environment = {"CLARA_FASTIO_CUDA_TRANSPORT": transport, "CLARA_FASTIO_CUDA_SYNC": sync}
    producer = start_inside("pid, ipc and mount", environment)
    consumer = start_inside("pid, ipc and mount", environment)
    assert [peer.run("os.getpid()") for peer in (producer, consumer)] == [1, 1]
    refusal = None
    try:
        scenarios.make(producer, consumer)
        found = scenarios.read_while_written(producer, consumer)
    except RemoteError as error:
        refusal = str(error)
    record_property("refusal", refusal)
    if refusal is None:
        record_property("transport", consumer.run("repr(x.transport)"))
        assert found["wrong"] == 0
    else:
        # The legacy handle names its process by number, and events lie in a common /dev/shm.
        assert (transport, sync) != ("vmm", "timeline")
        assert refusal.partition(":")[0] in {"DeviceIpcUnavailableError", "CudaError"}


def ptrace_scope() -> str:
    path = Path("/proc/sys/kernel/yama/ptrace_scope")
    return path.read_text().strip() if path.exists() else "absent"
