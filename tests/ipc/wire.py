# SPDX-License-Identifier: Apache-2.0
"""The protocol, spoken by hand: only as far as a stranger has to know it.

`cpp/include/clara_fastio/protocol.hpp` is the definition.
"""

from __future__ import annotations

import array
import os
import socket
import struct
from typing import NamedTuple

MAGIC = 0x43464331
MAJOR = 2
INFO = 1
HELLO = 2
VERSION_MISMATCH = 19  # The number of `Errc::version_mismatch`.

HEADER = struct.Struct("<IHHIIii")
MESSAGE_NBYTES = 1096
TEXT_NBYTES_AT = 372
TEXT_AT = 584


class Message(NamedTuple):
    """What of a message these tests look at."""

    magic: int
    major: int
    minor: int
    operation: int
    serial: int
    status: int
    text: str


def pack(operation: int, *, major: int = MAJOR, serial: int = 1, status: int = -1, text: str = ""):
    """Make a message."""
    message = bytearray(MESSAGE_NBYTES)
    HEADER.pack_into(message, 0, MAGIC, major, 0, operation, serial, status, 0)
    struct.pack_into("<I", message, TEXT_NBYTES_AT, len(text))
    message[TEXT_AT : TEXT_AT + len(text)] = text.encode()
    return bytes(message)


def unpack(message: bytes) -> Message:
    """Read a message."""
    magic, major, minor, operation, serial, status, _ = HEADER.unpack_from(message)
    (length,) = struct.unpack_from("<I", message, TEXT_NBYTES_AT)
    text = message[TEXT_AT : TEXT_AT + length].decode()
    return Message(magic, major, minor, operation, serial, status, text)


def address_of(context_name: str, uid: int | None = None) -> bytes:
    """Give the abstract address at which a user hosts a context."""
    digits = 0xCBF29CE484222325
    for byte in context_name.encode():
        digits = (digits ^ byte) * 0x100000001B3 % 2**64
    return f"\0clara-fastio/{os.getuid() if uid is None else uid}/{digits:016x}".encode()


def connect(context_name: str, uid: int | None = None) -> socket.socket:
    """Connect to the host of a context as anybody can."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(20)
    connection.connect(address_of(context_name, uid))
    return connection


def receive(connection: socket.socket) -> Message | None:
    """Receive a message; None when the peer has hung up."""
    data = connection.recv(MESSAGE_NBYTES)
    return unpack(data) if data else None


def greet(connection: socket.socket, **values: int) -> Message | None:
    """Say hello as a client does, and wait for the answer."""
    pidfd = os.pidfd_open(os.getpid())
    try:
        connection.sendmsg(
            [pack(HELLO, **values)],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [pidfd]))],
        )
    finally:
        os.close(pidfd)
    return receive(connection)
