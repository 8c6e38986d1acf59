# SPDX-License-Identifier: Apache-2.0
"""How the command line reaches a server: options, then the environment, then a file."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from clara_fastio.errors import InvalidRequestError, NotFoundError, PermissionDeniedError

#: In the user's folder, as of the original.
_DEFAULT = Path(".clara", "config.yaml")


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a file may say; paths are relative to it.

    Attributes
    ----------
    host
        ``HOST`` or ``HOST:PORT`` of the server.
    token
        What the server asks for.
    tls
        Encrypt; said already by any of the next three.
    authority, certificate, key
        PEM files: who signed the server's certificate, and the client's own.
    insecure
        Send the token unencrypted to another machine.
    timeout
        Seconds to wait for an answer.
    """

    host: str = ""
    token: str = ""
    tls: bool = False
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    insecure: bool = False
    timeout: float = 30.0


_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "host": (str, "a text"),
    "token": (str, "a text"),
    "tls": (bool, "true or false"),
    "authority": (str, "a path"),
    "certificate": (str, "a path"),
    "key": (str, "a path"),
    "insecure": (bool, "true or false"),
    "timeout": ((int, float), "a number of seconds"),
}


def load_config(path: Path | None) -> Config:
    """Read the file that is named, or the user's own if there is one.

    Raises
    ------
    NotFoundError
        There is no file of that name.
    InvalidRequestError
        It is not what such a file has to be.
    PermissionDeniedError
        It holds a token that others may read.
    """
    found = Path.home() / _DEFAULT if path is None else path
    if not found.is_file():
        if path is None:
            return Config()
        raise NotFoundError(f"there is no configuration at {str(path)!r}")
    values = _values(found)
    if values.get("token") and found.stat().st_mode & 0o077:
        raise PermissionDeniedError(
            f"others may read the token in {str(found)!r}; chmod 600 it, and ask for a new one"
        )
    paths = {
        name: found.parent / Path(values[name]).expanduser()
        for name in ("authority", "certificate", "key")
        if values.get(name)
    }
    return Config(**(values | paths))


def _values(path: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    where = f"the configuration {str(path)!r}"
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text())
    except (YAMLError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"{where} is not YAML: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InvalidRequestError(f"{where} is not a list of 'name: value'")
    for name, value in content.items():
        if name not in _TYPES:
            known = ", ".join(field.name for field in fields(Config))
            raise InvalidRequestError(f"{where} has {str(name)!r}; it may have {known}")
        kind, wanted = _TYPES[name]
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise InvalidRequestError(f"{name} in {where} is {value!r}; it has to be {wanted}")
    return content


def token_of(config: Config) -> str | None:
    """Give the token; that of the environment goes first."""
    return os.environ.get("CLARA_TOKEN") or config.token or None
