# SPDX-License-Identifier: Apache-2.0
"""Every property that a definition may have, and since when."""

from __future__ import annotations

from enum import Enum
from typing import Final, TypeAlias

from clara_fastio.pipeline.versions import EXTENSIONS_SINCE, OLDEST, TYPES_SINCE


class Since(Enum):
    """From which version on a property is accepted."""

    ALWAYS = OLDEST
    TYPES = TYPES_SINCE
    EXTENSION = EXTENSIONS_SINCE
    RESERVED = None


Properties: TypeAlias = dict[str, Since]


def _always(*names: str) -> Properties:
    return dict.fromkeys(names, Since.ALWAYS)


_TYPE: Final[Properties] = dict.fromkeys(("type", "element-type", "shape"), Since.TYPES)
_PLACEMENT: Final[Properties] = dict.fromkeys(
    ("memory", "device", "fallback", "pinned"), Since.EXTENSION
)
_DOCUMENT: Final = _always("api-version", "name", "description")

PIPELINE: Final[Properties] = {
    **_DOCUMENT,
    **_always("orchestrator", "pull-secrets", "operators", "parameters"),
    "timeout": Since.EXTENSION,
}
OPERATOR: Final[Properties] = {
    **_DOCUMENT,
    **_always("container", "input", "output", "variables", "requests"),
    **_always("services", "models", "parameters", "import"),
    "after": Since.EXTENSION,
    "driver": Since.EXTENSION,
    "timeout": Since.EXTENSION,
}
SERVICE: Final[Properties] = {
    **_DOCUMENT,
    **_always("container", "connections", "requests", "variables", "import"),
}
CONTAINER: Final[Properties] = {
    **_always("image", "tag", "command", "variables"),
    "driver": Since.EXTENSION,
}
INPUT: Final[Properties] = {
    **_always("from", "name", "path"),
    **_TYPE,
    **dict.fromkeys(("policy", "share", "deadline"), Since.EXTENSION),
    **_PLACEMENT,
    "queue": Since.RESERVED,
}
OUTPUT: Final[Properties] = {
    **_always("name", "path"),
    **_TYPE,
    **_PLACEMENT,
    "queue": Since.EXTENSION,
}
QUEUE: Final[Properties] = dict.fromkeys(("depth", "policy", "max-shape", "spin"), Since.EXTENSION)
REQUESTS: Final = _always("cpu", "gpu", "memory")
IMPORT: Final = _always("path", "args")
MODEL: Final = _always("name")
CONNECTIONS: Final = _always("http", "volume", "file")
HTTP: Final = _always("name", "port")
VOLUME: Final = _always("name", "path")
