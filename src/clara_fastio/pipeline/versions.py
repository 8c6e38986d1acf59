# SPDX-License-Identifier: Apache-2.0
"""The versions of the definition language, and what each brought."""

from __future__ import annotations

import re
from typing import NamedTuple

from clara_fastio.pipeline.model import Requests


class ApiVersion(NamedTuple):
    """A version of the definition language; versions compare as tuples do."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def is_typed(self) -> bool:
        """Whether inputs and outputs carry types."""
        return self >= TYPES_SINCE

    @property
    def has_extensions(self) -> bool:
        """Whether what the original did not have is accepted."""
        return self >= EXTENSIONS_SINCE

    @property
    def default_requests(self) -> Requests:
        """What an operator gets that requests nothing."""
        return _NEW_REQUESTS if self >= _NEW_REQUESTS_SINCE else _OLD_REQUESTS


OLDEST = ApiVersion(0, 2, 0)
TYPES_SINCE = ApiVersion(0, 5, 0)
EXTENSIONS_SINCE = ApiVersion(1, 0, 0)
SUPPORTED = "0.2.0 to 0.7.0, or 1.0.0"

_NEW_REQUESTS_SINCE = ApiVersion(0, 7, 0)
_OLD_REQUESTS = Requests(cpu=1, gpu=0, memory=512)
_NEW_REQUESTS = Requests(cpu=2, gpu=0, memory=1024)
_SERIES = {(0, minor) for minor in range(2, 8)} | {(1, 0)}
_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})")


def parse_version(text: str) -> ApiVersion | None:
    """Read `text` as a supported version; None when it is none."""
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    version = ApiVersion(*(int(number) for number in match.groups()))
    return version if version[:2] in _SERIES else None
