# SPDX-License-Identifier: Apache-2.0
"""Outputs of a definition that do not lie in ordinary memory, before anything runs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clara_fastio.pipeline import Pipeline


def placements_of(pipeline: Pipeline) -> list[dict[str, Any]]:
    """List the outputs in memory of a device, or in memory that is registered with devices."""
    return [
        {
            "operator": operator.name,
            "output": output.name,
            "element_type": output.element_type,
            "shape": list(output.shape),
            **dataclasses.asdict(output.placement),
        }
        for operator in pipeline.operators
        for output in operator.outputs
        if output.memory == "device" or output.placement.pinned
    ]


def describe_placement(placed: dict[str, Any]) -> str:
    """Say in a line where an output lies."""
    what = f"{placed['operator']}.{placed['output']} ({placed['element_type']}{placed['shape']})"
    if placed["memory"] == "host":
        return f"{what}: pinned memory of the host"
    device = placed["device"]
    if device is None:
        device = "the first device"
    elif isinstance(device, int):
        device = f"device {device}"
    copied = ", copied through the host where it cannot be shared" if placed["fallback"] else ""
    return f"{what}: memory of {device} of {placed['operator']}{copied}"
