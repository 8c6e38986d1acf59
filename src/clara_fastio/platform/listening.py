# SPDX-License-Identifier: Apache-2.0
"""Where a server listens, with which certificates, and to whom."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import grpc

from clara_fastio.errors import InvalidRequestError, UnavailableError
from clara_fastio.platform.access import Access
from clara_fastio.platform.wire.addresses import is_loopback

if TYPE_CHECKING:
    from pathlib import Path

    from clara_fastio.platform.settings import ServerSettings


def access_of(settings: ServerSettings) -> Access:
    """Read who may call; a server that others reach has to know.

    Raises
    ------
    InvalidRequestError
        The settings would let strangers in.
    """
    access = Access.open() if settings.tokens is None else Access.from_file(settings.tokens)
    has_tls = settings.certificate is not None
    is_guarded = has_tls and (access.roles or settings.client_certificates is not None)
    if not (is_guarded or settings.insecure or is_loopback(settings.host)):
        raise InvalidRequestError(
            f"the address {settings.host!r} is reached from other machines: give a certificate, "
            "its key and tokens (or clients' certificates), or say that it may be insecure"
        )
    return access


def bind(server: grpc.aio.Server, settings: ServerSettings) -> str:
    """Let a server listen; gives its address.

    Raises
    ------
    InvalidRequestError
        The certificates cannot be used.
    UnavailableError
        The port is taken, or the address is not of this machine.
    """
    host = settings.host
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    credentials = _credentials(settings)
    where = f"{host}:{settings.port}"
    try:
        if credentials is None:
            port = server.add_insecure_port(where)
        else:
            port = server.add_secure_port(where, credentials)
    except RuntimeError as error:
        raise UnavailableError(
            f"nothing can listen on {where}; is the port taken, or the address not of this machine?"
        ) from error
    return f"{host}:{port}"


def _credentials(settings: ServerSettings) -> grpc.ServerCredentials | None:
    if settings.certificate is None or settings.key is None:
        return None
    authority = settings.client_certificates
    _check(settings.certificate, settings.key, authority)
    return grpc.ssl_server_credentials(
        [(settings.key.read_bytes(), settings.certificate.read_bytes())],
        root_certificates=None if authority is None else authority.read_bytes(),
        require_client_auth=authority is not None,
    )


def _check(certificate: Path, key: Path, authority: Path | None) -> None:
    """Read the files as grpc will, which says nothing of what is wrong with them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # A key that is locked would be asked for at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except OSError as error:
        raise InvalidRequestError(
            f"the certificate {str(certificate)!r} and the key {str(key)!r} cannot be used "
            f"together: {_reason(error)}; give the certificate and its own key as PEM, unencrypted"
        ) from error
    if authority is not None:
        try:
            context.load_verify_locations(authority)
        except OSError as error:
            raise InvalidRequestError(
                f"the clients' authority {str(authority)!r} is no certificate in PEM: "
                f"{_reason(error)}"
            ) from error


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not PEM").lower().replace("_", " ")
    return error.strerror or str(error)
