# SPDX-License-Identifier: Apache-2.0
"""The queues of a definition and the edges that they feed, before anything runs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clara_fastio.pipeline import Pipeline


def streams_of(pipeline: Pipeline) -> list[dict[str, Any]]:
    """List the outputs with a queue, each with the edges that take its frames."""
    takers = [
        (entry.source, entry.output, operator.name, entry.edge)
        for operator in pipeline.operators
        for entry in operator.inputs
        if entry.edge is not None
    ]
    return [
        {
            "operator": operator.name,
            "output": output.name,
            "queue": dataclasses.asdict(output.queue),
            "edges": [
                {"operator": taker, **dataclasses.asdict(edge)}
                for source, name, taker, edge in takers
                if (source, name) == (operator.name, output.name)
            ],
        }
        for operator in pipeline.operators
        for output in operator.outputs
        if output.queue is not None
    ]


def describe_stream(stream: dict[str, Any]) -> list[str]:
    """Give a line for each edge of a stream, or one that says that there is none."""
    queue = stream["queue"]
    source = f"{stream['operator']}.{stream['output']} (queue of {queue['depth']})"
    lines = []
    for edge in stream["edges"]:
        parts = [edge["policy"]]
        parts += [f"shared by {edge['share']}"] if edge["share"] else []
        parts += [f"deadline {edge['deadline']:g} s"] if edge["deadline"] else []
        lines.append(f"{source} -> {edge['operator']}: {', '.join(parts)}")
    return lines or [f"{source}: nobody takes its frames"]
