# SPDX-License-Identifier: Apache-2.0
"""Names that no other test, and no other run on this machine, uses."""

from __future__ import annotations

import itertools
import secrets

#: Begins every name of this run, so that its segments can be told from those of other runs.
RUN = f"t{secrets.token_hex(4)}"

_numbers = itertools.count(1)


def unique_name(stem: str = "context") -> str:
    """Make a name for a context."""
    return f"{RUN}-{stem}-{next(_numbers)}"
