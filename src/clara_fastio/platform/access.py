# SPDX-License-Identifier: Apache-2.0
"""Who may call what: tokens with a role, and the rule that nobody listens to the world unasked."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clara_fastio.errors import (
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from clara_fastio.platform.services.dispatch import Call, Role

if TYPE_CHECKING:
    from pathlib import Path

    import grpc

    from clara_fastio.platform.wire.methods import Method

_SHORTEST_TOKEN = 16
_HEADER = "authorization"
_SCHEME = "bearer "


@dataclass(frozen=True)
class Access:
    """The tokens of a server, by their hashes; without any, everybody who reaches it may do all."""

    roles: dict[bytes, Role]

    @classmethod
    def open(cls) -> Access:
        """Let everybody in: for a server that only its own machine reaches."""
        return cls({})

    @classmethod
    def from_file(cls, path: Path) -> Access:
        """Read tokens: a line each, ``ROLE TOKEN``, with a role of read, submit or admin.

        Raises
        ------
        NotFoundError
            There is no such file.
        InvalidRequestError
            A line has another form, or a token is too short to be one.
        PermissionDeniedError
            Others than its owner may read the file.
        """
        if not path.is_file():
            raise NotFoundError(f"there is no file of tokens at {str(path)!r}")
        if path.stat().st_mode & 0o077:
            raise PermissionDeniedError(
                f"others may read the tokens in {str(path)!r}; chmod 600 it, and make new ones"
            )
        roles: dict[bytes, Role] = {}
        for number, line in enumerate(path.read_text().splitlines(), 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            where = f"line {number} of {str(path)!r}"
            if len(words) != 2 or words[0].upper() not in Role.__members__:
                raise InvalidRequestError(f"{where} is not 'read|submit|admin TOKEN'")
            if len(words[1]) < _SHORTEST_TOKEN:
                raise InvalidRequestError(
                    f"the token in {where} has {len(words[1])} characters; "
                    f"{_SHORTEST_TOKEN} are the least"
                )
            roles[_hash(words[1])] = Role[words[0].upper()]
        if not roles:
            raise InvalidRequestError(f"there is no token in {str(path)!r}; nobody could call")
        return cls(roles)

    def admit(
        self, method: Method, context: grpc.aio.ServicerContext[Any, Any], role: Role
    ) -> Call:
        """Find out who calls.

        Raises
        ------
        UnauthenticatedError
            No token came, or an unknown one.
        PermissionDeniedError
            The token's role is not enough.
        """
        peer = context.peer()
        if not self.roles:
            return Call(Role.ADMIN, peer)
        sent = ""
        for key, value in context.invocation_metadata() or ():
            if key == _HEADER and isinstance(value, str):
                sent = value
        if not sent.lower().startswith(_SCHEME):
            raise UnauthenticatedError(
                "the call has no token; send one as metadata 'authorization: Bearer TOKEN'"
            )
        found = self._role_of(sent[len(_SCHEME) :].strip())
        if found is None:
            raise UnauthenticatedError(
                "the token is unknown; ask the server's administrator for one"
            )
        if found < role:
            raise PermissionDeniedError(
                f"{method.service}.{method.name} needs a token for {role.name.lower()!r}, "
                f"this one is for {found.name.lower()!r}"
            )
        return Call(found, peer)

    def _role_of(self, token: str) -> Role | None:
        hashed = _hash(token)
        found = None
        for known, role in self.roles.items():  # All of them, so that the time tells nothing.
            if hmac.compare_digest(known, hashed):
                found = role
        return found


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
