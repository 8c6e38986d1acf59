# SPDX-License-Identifier: Apache-2.0
"""The rules that names obey."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAXIMUM_LENGTH = 255
RESERVED = "clara-pod-manager"

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

NAME_RULE = "1 to 255 of the characters A-Z, a-z, 0-9, `-` and `_`"
ENVIRONMENT_NAME_RULE = "1 to 255 letters, digits and `_`, not starting with a digit"


def is_name(text: str) -> bool:
    """Whether `text` may name an operator, an entry, a service or a parameter."""
    return len(text) <= MAXIMUM_LENGTH and _NAME.fullmatch(text) is not None


def is_environment_name(text: str) -> bool:
    """Whether `text` may name an environment variable of an operator."""
    return len(text) <= MAXIMUM_LENGTH and _ENVIRONMENT_NAME.fullmatch(text) is not None


def key(name: str) -> str:
    """Give the form in which names are compared: they are not case-sensitive."""
    return name.lower()


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Give a hint with the known name that is most like `name`, or an empty text."""
    spelled = {key(candidate): candidate for candidate in known}
    # Comparing costs the product of the lengths; nobody mistypes a text as long as this.
    close = difflib.get_close_matches(key(name)[:MAXIMUM_LENGTH], spelled, n=1)
    return f"did you mean `{spelled[close[0]]}`?" if close else ""
