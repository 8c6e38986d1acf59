# SPDX-License-Identifier: Apache-2.0
"""Do streams of two processes wait for each other by words in host memory that both register?"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import tempfile

from bench.gpu.driver import REGISTER_READ_ONLY, Driver
from bench.gpu.probes.asking import Other, conclude, outcome, serve

NBYTES = 1 << 16
WORD = 64


class Words:
    """A shared page, registered with the driver."""

    def __init__(self, descriptor: int) -> None:
        self._driver = Driver()
        self._map = mmap.mmap(descriptor, NBYTES)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self._driver.register(self._address, NBYTES)
        self._pointer = self._driver.host_pointer(self._address)
        self._stream = self._driver.stream()

    def write(self, word: int, value: int) -> None:
        """Have the stream write a word."""
        self._driver.write_value(self._stream, self._pointer + WORD * word, value)

    def wait(self, word: int, value: int) -> None:
        """Have the stream wait for a word, and then write the next one."""
        self._driver.wait_value(self._stream, self._pointer + WORD * word, value)
        self._driver.write_value(self._stream, self._pointer + WORD * (word + 1), value)

    def look(self, word: int) -> int:
        """Look at a word without the device."""
        return ctypes.c_uint64.from_address(self._address + WORD * word).value

    def set(self, word: int, value: int) -> None:
        """Write a word without the device, as a host that settles a dead one's promise."""
        ctypes.c_uint64.from_address(self._address + WORD * word).value = value

    def synchronize(self) -> None:
        """Wait for the stream."""
        self._driver.synchronize(self._stream)


def serve_words(descriptor: int) -> None:
    """Be the other process."""
    words = Words(descriptor)
    serve({name: getattr(words, name) for name in ("write", "wait", "look", "set", "synchronize")})


def try_with(descriptor: int) -> dict[str, object]:
    """Let two processes wait for each other."""
    words = Words(descriptor)
    with Other("words", descriptor, pass_fds=[descriptor]) as other:
        other.ask("wait", word=0, value=5)
        before = other.ask("look", word=1)
        words.write(0, 5)
        words.synchronize()
        other.ask("synchronize", timeout=10)
        after = other.ask("look", word=1)
        words.wait(2, 9)
        other.ask("set", word=2, value=9)
        words.synchronize()
        return {
            "waits until the other's stream has written": (before, after) == (0, 5),
            "waits until the other's processor has written": words.look(3) == 9,
        }


def register_read_only() -> str:
    """Register a page that this process can only read."""
    driver = Driver()
    descriptor = os.memfd_create("probe")
    os.ftruncate(descriptor, NBYTES)
    # Python's own maps for reading give no address; the C library's do.
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + 3 * [ctypes.c_int] + [ctypes.c_long]
    address = libc.mmap(None, NBYTES, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    driver.register(address, NBYTES, 3 | REGISTER_READ_ONLY)
    driver.unregister(address)
    return "success"


def main() -> None:
    """Ask."""
    if len(sys.argv) > 1:
        serve_words(int(sys.argv[1]))
        return
    answer: dict[str, object] = {}
    memory = os.memfd_create("probe")
    os.ftruncate(memory, NBYTES)
    answer["memfd"] = outcome(lambda: try_with(memory))
    with tempfile.TemporaryFile(dir="/dev/shm") as file:
        file.truncate(NBYTES)
        answer["/dev/shm"] = outcome(lambda: try_with(file.fileno()))
    answer["register memory that is read-only here"] = outcome(register_read_only)
    conclude(answer)


if __name__ == "__main__":
    main()
