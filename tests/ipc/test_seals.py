# SPDX-License-Identifier: Apache-2.0
"""A consumer cannot change what it was given, whatever it tries."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import clara_fastio as fastio
from tests.ipc.peer import RemoteError

SIZE = 1 << 20

CONSUMER = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
for name in ("mmap", "mprotect", "madvise"):
    getattr(libc, name).restype = ctypes.c_void_p if name == "mmap" else ctypes.c_int
mapping = context["image"].map("r")
array = mapping.array
address = array.ctypes.data
page = address // 4096 * 4096

def call(function, *arguments):
    values = [ctypes.c_void_p(arguments[0]), *map(ctypes.c_long, arguments[1:])]
    result = getattr(libc, function)(*values)
    return errno.errorcode[ctypes.get_errno()] if result in (-1, 2**64 - 1) else "done"
"""

PROT_WRITE = 3
MAP_SHARED = 1
MADV_REMOVE = 9
PUNCH_HOLE = 3


@pytest.fixture(params=["variable", "sealed variable"])
def image(context, request):
    """A variable that this process produced; sevens."""
    variable = context.variable("image", shape=(SIZE,), sealed=request.param != "variable")
    with variable.map("w") as array:
        array[...] = 7
    yield variable
    with variable.map("r") as array:
        assert (array == 7).all(), "a consumer has changed the content"


@pytest.fixture
def consumer(image, peer):
    """A process that has mapped it for reading."""
    assert image.version == 1
    peer.run(CONSUMER)
    return peer


def test_array_is_read_only_and_stays_so(consumer):
    assert consumer.run("array.flags.writeable") is False
    with pytest.raises(RemoteError, match="ValueError: assignment destination is read-only"):
        consumer.run("array[0] = 8")
    with pytest.raises(RemoteError, match="ValueError: cannot set WRITEABLE"):
        consumer.run("array.flags.writeable = True")
    with pytest.raises(RemoteError, match=r"BufferError|TypeError|ValueError"):
        consumer.run("import ctypes; ctypes.c_char.from_buffer(mapping)")


def test_mapping_for_writing_is_refused(consumer):
    with pytest.raises(RemoteError, match="ReadOnlyError"):
        consumer.run("context['image'].map('w')")
    with pytest.raises(RemoteError, match="ReadOnlyError"):
        consumer.run("context['image'].map('r+')")


def test_memory_faults_when_it_is_written_to(consumer):
    with pytest.raises(RemoteError, match="has ended"):
        consumer.run("ctypes.memset(address, 8, 1)")
    assert consumer.program.wait() == -signal.SIGSEGV


def test_mprotect_is_refused(consumer):
    assert consumer.run(f"call('mprotect', page, 4096, {PROT_WRITE})") == "EACCES"


def test_removal_of_pages_is_refused(consumer):
    assert consumer.run(f"call('madvise', page, 4096, {MADV_REMOVE})") in {"EACCES", "EPERM"}


def test_consumer_has_no_descriptor_left(consumer):
    links = consumer.run(
        "[os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd')"
        " if os.path.lexists(f'/proc/self/fd/{fd}')]"
    )
    assert not [link for link in links if "clara-fastio" in link]


def test_memory_of_the_process_is_not_written_through_proc(consumer):
    with pytest.raises(RemoteError, match="OSError"):
        consumer.run(
            """
            with open("/proc/self/mem", "r+b", buffering=0) as memory:
                memory.seek(address)
                memory.write(b"x")
            """
        )


def test_file_of_the_map_is_not_opened_for_writing(consumer):
    # As root of the machine one may open it, but then the seal refuses each write.
    consumer.run(
        """
        line = next(l for l in open("/proc/self/maps") if int(l.split("-")[0], 16) <= address
                    < int(l.split("-")[1].split()[0], 16))
        range_of_map = line.split()[0]
        try:
            fd = os.open(f"/proc/self/map_files/{range_of_map}", os.O_RDWR)
        except PermissionError:
            fd = None
        """
    )
    attack_descriptor(consumer)


def test_descriptor_of_the_host_is_of_no_use(consumer):
    found = [link.name for link in Path("/proc/self/fd").iterdir() if is_data(link)]
    assert found, "the host keeps the descriptor of each segment"
    for number in found:
        consumer.run(
            f"""
            try:
                fd = os.open("/proc/{os.getpid()}/fd/{number}", os.O_RDWR)
            except PermissionError:
                fd = None
            """
        )
        attack_descriptor(consumer)


def test_sealed_variable_is_frozen_for_its_producer_too(context, peer):
    peer.run(
        f"""
        variable = context.variable("frozen", shape=({SIZE},), sealed=True)
        mapping = variable.map("w")
        array = mapping.array
        array[...] = 7
        mapping.close()
        """
    )
    with pytest.raises(RemoteError, match="ReadOnlyError"):
        peer.run("variable.map('w')")
    with pytest.raises(RemoteError, match="has ended"):
        peer.run("array[0] = 8")
    assert peer.program.wait() == -signal.SIGSEGV
    with context["frozen"].map("r") as array:
        assert (array == 7).all()


@pytest.mark.usefixtures("context")
def test_consumer_of_an_allocation_may_write(peer, block):
    # Hand-made memory is everybody's, as in the original; a variable is not.
    peer.run("with context['block'].map('r+') as array: array[0] = 9")
    with block.map("r") as array:
        assert array[0] == 9


def test_tables_are_not_written_by_a_client(consumer):
    address = consumer.run(
        "next(int(l.split('-')[0], 16) for l in open('/proc/self/maps') if ':directory' in l)"
    )
    assert consumer.run(f"call('mprotect', {address}, 4096, {PROT_WRITE})") == "EACCES"


def test_producer_that_is_restarted_does_not_write_to_the_old_memory(context, start_peer):
    first, second = start_peer(context.name), start_peer(context.name)
    steps = f"""
        variable = context.variable("v", shape=({SIZE},))
        mapping = variable.map("w", timeout=1)
        mapping.array[...] = %d
        mapping.close()
        """
    first.run(steps % 1)
    mapping = context["v"].map("r")
    old = mapping.array
    mapping.close()
    first.program.kill()
    with pytest.raises(fastio.ReadOnlyError):
        # This process never was its producer, and may only become it with a whole new content.
        context["v"].map("r+", timeout=1)
    second.run(steps % 2)
    assert (old == 1).all()
    with context["v"].map("r") as array:
        assert (array == 2).all()


def attack_descriptor(consumer):
    """Try all that a writable descriptor allows; each must be refused."""
    refused = consumer.run(
        f"""
        import mmap
        results = []

        def attempt(action):
            try:
                action()
            except OSError as error:
                results.append(errno.errorcode[error.errno])
            else:
                results.append("done")

        if fd is not None:
            attempt(lambda: os.pwrite(fd, b"x" * 4096, 0))
            attempt(lambda: os.ftruncate(fd, 4096))
            attempt(lambda: mmap.mmap(fd, 4096))
            libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
            if libc.fallocate(fd, {PUNCH_HOLE}, 0, 4096) == 0:
                results.append("done")
            os.close(fd)
        results
        """
    )
    assert set(refused) <= {"EPERM", "EACCES"}, refused


def is_data(link):
    try:
        target = str(link.readlink())
    except FileNotFoundError:
        return False
    return "memfd:clara-fastio" in target and ":locks" not in target and ":directory" not in target
