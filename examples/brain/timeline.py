# SPDX-License-Identifier: Apache-2.0
"""When each stage of the pipeline worked, as one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import palette
from matplotlib import rc_context
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes


@dataclass(frozen=True)
class StageTime:
    """The working time of one stage.

    Parameters
    ----------
    name
        Of the stage.
    start, end
        Seconds on the machine's monotonic clock, which all processes share.
    processing
        Seconds of processor time of its process in between.
    """

    name: str
    start: float
    end: float
    processing: float

    @property
    def duration(self) -> float:
        """Seconds from start to end."""
        return self.end - self.start


def draw_timeline(path: Path, stages: Sequence[StageTime]) -> None:
    """Write a PNG with one bar per stage, placed where it worked and as long as it worked.

    Parameters
    ----------
    path
        The file to write.
    stages
        At least one, in the order of their rows.
    """
    with rc_context(palette.STYLE):
        _figure(stages).savefig(path)


def _figure(stages: Sequence[StageTime]) -> Figure:
    origin = min(stage.start for stage in stages)
    span = max(stage.end for stage in stages) - origin
    figure = Figure((12.8, 1.9 + 0.72 * len(stages)), dpi=150)
    height = figure.get_size_inches()[1]
    figure.text(0.045, 1 - 0.45 / height, "Stage times", fontsize=19, weight="bold", va="center")
    figure.text(
        0.045, 1 - 0.8 / height, f"{span:.2f} s from the first stage's start to the last one's end",
        fontsize=10, color=palette.QUIET, va="center",
    )  # fmt: skip
    axes = figure.add_axes((0.125, 0.62 / height, 0.83, 1 - 1.75 / height))
    axes.set(xlim=(0, span * 1.14), ylim=(len(stages) - 0.5, -0.5))
    axes.grid(axis="x", color=palette.RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=10, labelcolor=palette.QUIET, pad=8)
    axes.set_yticks(range(len(stages)), [stage.name for stage in stages])
    for label in axes.get_yticklabels():
        label.set(fontsize=12, color=palette.TEXT, weight="bold")
    axes.xaxis.set_major_formatter("{x:g} s")
    for place, stage in enumerate(stages):
        colour = palette.STAGES[place % len(palette.STAGES)]
        axes.barh(place, stage.duration, 0.5, left=stage.start - origin, color=colour)
        _caption(axes, stage.end - origin + span * 0.012, place, stage)
    return figure


def _caption(axes: Axes, x: float, place: int, stage: StageTime) -> None:
    style = {"va": "center", "bbox": {"facecolor": palette.GROUND, "linewidth": 0, "pad": 1}}
    processor = f"{stage.processing:.2f} s processor"
    axes.text(x, place + 0.17, processor, fontsize=8, color=palette.QUIET, **style)
    axes.text(x, place - 0.11, f"{stage.duration:.2f} s", fontsize=11.5, weight="bold", **style)
