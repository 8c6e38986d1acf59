# SPDX-License-Identifier: Apache-2.0
"""Renders what a run on a device has found, for people."""

from __future__ import annotations

import json
from typing import Any

from bench.report import UNITS, goals, number, spread, table

INTRODUCTION = """\
Written by `make gpu`. What is asked, and how, stands in [`bench/gpu/README.md`](../gpu/README.md).
A test that is skipped is one that this machine cannot answer, and its message says why.
"""


def as_page(found: dict[str, Any]) -> str:
    """Render everything."""
    parts = [
        f"# On a GPU, {found['date']}\n",
        INTRODUCTION,
        "## Machine and versions\n",
        table(["", ""], [[name, str(value)] for name, value in facts(found).items()]),
        "## Goals\n",
        goals([one for bench in found["benches"] for one in bench["tables"]]),
        "## Tests\n",
        tests(found["tests"]),
        "## Questions\n",
        *map(question, found["questions"]),
        "## Benches\n",
        *map(bench, found["benches"]),
        "## Log\n",
        *(f"```\n{line}\n```\n" for line in found["log"]),
    ]
    return "\n".join(parts)


def facts(found: dict[str, Any]) -> dict[str, Any]:
    """Give what the figures belong to."""
    device = found["device"]
    facts = {"date": found["date"], "commit": found["commit"]}
    if device.get("available"):
        first = device["devices"][0]
        facts |= {
            "GPU": first["name"],
            "GPUs": len(device["devices"]),
            "memory of the GPU": f"{first['memory'] / 2**30:.1f} GiB",
            "compute capability": first["compute_capability"] / 10,
            "driver": device["driver"],
            "CUDA of the driver": ".".join(map(str, device["driver_version"])),
            "granularity": first["granularity"],
        }
        for name in ("transports", "orders"):
            facts |= {f"{way}": why or "works" for way, why in first[name].items()}
        facts |= {
            "read maps are read-only": first["read_only"] or "works",
            "pinning": first["pinning"] or "works",
        }
    facts |= {**found["machine"], **found["versions"]}
    facts["missing"] = ", ".join(found["missing"]) or "nothing"
    facts["seconds"] = json.dumps(found.get("seconds", {}))
    return facts


def tests(found: list[dict[str, Any]]) -> str:
    """Render a row for each test."""
    ordered = sorted(found, key=lambda one: (len(one.get("study", "")), one.get("study", "")))
    rows = [
        [
            one.get("study", ""),
            one["name"],
            one["outcome"] if one["outcome"] == "passed" else f"**{one['outcome']}**",
            f"{one.get('seconds', 0):.1f}",
            one_line(
                "; ".join(f"{name}: {value}" for name, value in one.get("details", {}).items())
            ),
            one_line(one.get("message", "")),
        ]
        for one in ordered
    ]
    return table(["Study", "Test", "Outcome", "s", "Found", "Message"], rows)


def question(found: dict[str, Any]) -> str:
    """Render an answer."""
    text = json.dumps(found["answers"], indent=1)
    return f"### {found['number']}. {found['question']}\n\n```json\n{text}\n```\n"


def bench(found: dict[str, Any]) -> str:
    """Render the tables of one bench."""
    parts = [
        f"### {found['bench']}: {found['question'].partition(': ')[2]}\n",
        found["outcome"] + "\n",
    ]
    if "message" in found:
        parts.append(f"```\n{found['message']}\n```\n")
    return "\n".join([*parts, *map(section, found["tables"])])


def section(found: dict[str, Any]) -> str:
    """Render one table of twins."""
    unit = found["unit"]
    rows = [
        [
            f"**{row['name']}**" if row["name"] == found["reference"] else row["name"],
            spread(row["wall_ns"], UNITS[unit]),
            number(row["wall_p99_ns"] / UNITS[unit]),
            spread(row["cpu_ns"], UNITS[unit]),
            number(row["wall_ratio"][1]),
            number(row["cpu_ratio"][1]),
        ]
        for row in found["rows"]
    ]
    head = ["", f"time, {unit}", "slowest hundredth", f"CPU, {unit}", "ratio", "CPU ratio"]
    parts = [
        f"#### {found['title']}\n",
        f"{found['rounds']} rounds; ratios are those to the row in bold.\n",
        table(head, rows),
        *(f"{note}\n" for note in found["notes"]),
    ]
    if found["absent"]:
        parts.append(f"Absent: {'; '.join(found['absent'])}.\n")
    return "\n".join(parts)


def one_line(text: str) -> str:
    """Make a text fit into a cell."""
    return " ".join(text.split())[:300]
