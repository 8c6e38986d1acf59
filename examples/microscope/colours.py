# SPDX-License-Identifier: Apache-2.0
"""The look of the page."""

from __future__ import annotations

GROUND = "#0b0f17"
PANEL = "#141b28"
RULE = "#263145"
TEXT = "#e8edf5"
QUIET = "#8b98ad"

#: Outlines of nuclei by the stain around them, and middle lines of vessels from thin to wide.
BROWN = "#ffd23f"
BLUE = "#27e0ff"
VESSELS = ("#b8fff0", "#5ce1ff", "#2f9bff")

#: For `matplotlib.rc_context`.
STYLE = {
    "figure.facecolor": GROUND,
    "savefig.facecolor": GROUND,
    "axes.facecolor": PANEL,
    "text.color": TEXT,
    "font.family": "DejaVu Sans",
}
