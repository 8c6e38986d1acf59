# SPDX-License-Identifier: Apache-2.0
"""The look that the pictures of this example share."""

from __future__ import annotations

GROUND = "#0b0f17"
PANEL = "#141b28"
RULE = "#263145"
TEXT = "#e8edf5"
QUIET = "#8b98ad"

TISSUES = {"csf": "#4fc3f7", "grey": "#ff7a6b", "white": "#ffd76a"}
NAMES = {"csf": "Cerebrospinal fluid", "grey": "Grey matter", "white": "White matter"}

STAGES = ("#4fc3f7", "#7c9cff", "#ff7a6b", "#ffd76a")

#: For `matplotlib.rc_context`.
STYLE = {
    "figure.facecolor": GROUND,
    "savefig.facecolor": GROUND,
    "axes.facecolor": GROUND,
    "text.color": TEXT,
    "font.family": "DejaVu Sans",
}
