# SPDX-License-Identifier: Apache-2.0
"""Where a server is and how to get there: the address, TLS, and the token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from clara_fastio.errors import InvalidRequestError, SystemCallError
from clara_fastio.platform.wire.addresses import is_loopback

if TYPE_CHECKING:
    from pathlib import Path

#: Where `clara serve` listens when it is told nothing.
DEFAULT_ADDRESS = "127.0.0.1:30031"
_PORT = 30031
_LARGEST_PORT = 65535


@dataclass(frozen=True, kw_only=True)
class Tls:
    """Encrypt, and know the server by its certificate.

    Parameters
    ----------
    authority
        PEM file of the authority that signed the server's certificate; those that grpc trusts
        when left out.
    certificate, key
        PEM files of this client, for a server that wants to know its clients by theirs.
    """

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise InvalidRequestError("a client's certificate needs its key, and a key the other")

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files.

        Raises
        ------
        SystemCallError
            One cannot be read.
        """
        return grpc.ssl_channel_credentials(
            root_certificates=_read(self.authority),
            private_key=_read(self.key),
            certificate_chain=_read(self.certificate),
        )


def complete(address: str) -> str:
    """Add the port that is left out, and the brackets of an IPv6 address.

    Raises
    ------
    InvalidRequestError
        It is empty, a URL, or its port is none.
    """
    text = address.strip()
    if text.startswith(("unix:", "dns:", "ipv4:", "ipv6:")):
        return text
    host, colon, port = text.rpartition(":")
    if "/" in text or (port.isdecimal() and int(port) > _LARGEST_PORT):
        host = ""
    elif text.count(":") > 1 and not text.startswith("["):
        host, colon, port = f"[{text}]", "", ""
    elif not colon or text.endswith("]"):
        host, colon, port = text, "", ""
    if not host or (colon and not port.isdecimal()):
        raise InvalidRequestError(f"{address!r} is no address of a server; write HOST or HOST:PORT")
    return f"{host}:{port or _PORT}"


def is_private(address: str) -> bool:
    """Whether nobody outside of this machine hears what goes to an address."""
    return address.startswith("unix:") or is_loopback(address.rpartition(":")[0])


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise SystemCallError(
            f"the file {str(path)!r} for TLS cannot be read: {error.strerror}",
            errno=error.errno or 0,
        ) from error
