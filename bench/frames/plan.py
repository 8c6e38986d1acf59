# SPDX-License-Identifier: Apache-2.0
"""What a chain of processes is to do: its roles, the sizes of its frames, and what joins it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

#: Frames in flight between two processes.
DEPTH = 4

#: Each role with the edge that it receives from and the one that it sends to.
ROLES: dict[str, dict[str, tuple[int | None, int | None]]] = {
    "handover": {"ping": (1, 0), "pong": (0, 1)},
    "pipeline": {"produce": (None, 0), "filter": (0, 1), "reduce": (1, None)},
}
EDGES = 2  # Of either kind.

#: Seconds after which a frame that did not come is lost.
PATIENCE = 10.0


@dataclass(frozen=True)
class Plan:
    """One chain of processes.

    Parameters
    ----------
    peer
        The module in ``bench.frames.peers`` that joins the processes.
    variant
        One of that module's ``VARIANTS``, or an empty string.
    kind
        One of `ROLES`.
    sizes
        Of the frames, in bytes. Each size has edges of its own.
    cpus
        A processor for each role; a peer that has threads of its own may use all of them.
    """

    peer: str
    variant: str
    kind: str
    sizes: tuple[int, ...]
    cpus: tuple[int, ...]
    depth: int = DEPTH

    @property
    def roles(self) -> tuple[str, ...]:
        """The names of the processes, from the first to the last."""
        return tuple(ROLES[self.kind])

    def to_json(self) -> str:
        """Write it for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read what `to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "sizes": tuple(values["sizes"]), "cpus": tuple(values["cpus"])})
