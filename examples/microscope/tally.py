# SPDX-License-Identifier: Apache-2.0
"""What was counted so far, and how fast it came."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from stage import SLIDES

if TYPE_CHECKING:
    from field_header import FieldHeader
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Row:
    """What is known of one frame when it is on the canvas.

    Parameters
    ----------
    number
        Of the frame.
    field
        What came with it.
    finds
        float32 [finds, 6], of the core of its field, at places on the slide.
    area
        Points of the core that show specimen.
    seconds
        When it was done, on the machine's monotonic clock.
    """

    number: int
    field: FieldHeader
    finds: NDArray[np.float32]
    area: int
    seconds: float

    @property
    def latency(self) -> float:
        """Seconds from the opening of the shutter to now."""
        return self.seconds - self.field.taken * 1e-9

    @property
    def amount(self) -> float:
        """Nuclei, or the length of vessels in points."""
        if SLIDES[self.field.slide] == "tissue":
            return float(len(self.finds))
        return float(self.finds[:, 2].sum())


@dataclass
class Tally:
    """The frames of a run in order."""

    rows: list[Row] = field(default_factory=list)

    def of(self, slide: str, sweep: int | None = None) -> list[Row]:
        """Give the frames of one slide, of one sweep or of all."""
        index = SLIDES.index(slide)
        return [
            row for row in self.rows
            if row.field.slide == index and sweep in {None, row.field.sweep}
        ]  # fmt: skip

    @property
    def sweeps(self) -> range:
        """The sweeps that have begun."""
        return range(self.rows[-1].field.sweep + 1) if self.rows else range(0)

    def finds(self, slide: str, sweep: int) -> NDArray[np.float32]:
        """Give everything found on a slide in one sweep, float32 [finds, 6]."""
        return np.concatenate(
            [np.empty((0, 6), np.float32), *(row.finds for row in self.of(slide, sweep))]
        )

    @property
    def rate(self) -> float:
        """Frames per second from the first to the last one."""
        span = self.rows[-1].seconds - self.rows[0].seconds if self.rows else 0.0
        return (len(self.rows) - 1) / span if span else 0.0

    def latency(self, percentage: float) -> float:
        """Give the seconds within which that share of the frames was done."""
        return float(np.percentile([row.latency for row in self.rows], percentage))

    def line(self) -> str:
        """Say in one line how things stand in the running sweep."""
        sweep = self.rows[-1].field.sweep
        nuclei = self.finds("tissue", sweep)
        brown = f" ({nuclei[:, 5].mean():.0%} brown)" if len(nuclei) else ""
        length = sum(row.amount for row in self.of("retina", sweep))
        return (
            f"frame {self.rows[-1].number}, {self.rate:.1f} per second, sweep {sweep + 1}: "
            f"{len(nuclei)} nuclei{brown}, {length:.0f} points of vessels"
        )

    def summary(self) -> dict[str, Any]:
        """Give everything as numbers, per sweep where it is counted again in each."""
        tissue = [self.finds("tissue", sweep) for sweep in self.sweeps]
        return {
            "frames": len(self.rows),
            "frames_per_second": round(self.rate, 2),
            "latency_seconds": {
                name: round(self.latency(share), 4)
                for name, share in (("median", 50), ("p99", 99), ("largest", 100))
            },
            "tissue": {
                "nuclei": [len(finds) for finds in tissue],
                "brown_share": [round(float(finds[:, 5].mean()), 4) for finds in tissue],
                "nuclei_per_megapoint": self._densities("tissue", 1e6),
            },
            "retina": {
                "vessel_points": [
                    round(sum(row.amount for row in self.of("retina", sweep)))
                    for sweep in self.sweeps
                ],
                "vessel_points_per_thousand": self._densities("retina", 1e3),
            },
        }

    def _densities(self, slide: str, area: float) -> list[float]:
        return [
            round(area * sum(row.amount for row in rows) / max(1, sum(row.area for row in rows)), 1)
            for rows in (self.of(slide, sweep) for sweep in self.sweeps)
        ]
