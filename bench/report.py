# SPDX-License-Identifier: Apache-2.0
"""Turns pytest-benchmark's file of a run into a result that is kept and a page for people.

Usage: python -m bench.report FILE
A run of all benches becomes ``bench/results/<date>-cpu.json`` and ``docs/benchmarks.md``; of a run
of some, the tables are only printed.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BENCHES = (
    "bench_map",
    "bench_handover",
    "bench_allocation",
    "bench_scaling",
    "frames/bench_frame_handover",
    "frames/bench_frame_pipeline",
    "frames/bench_frame_small",
    "platform/bench_upload",
    "platform/bench_download",
    "platform/bench_status",
    "platform/bench_list",
    "platform/bench_start",
)
UNITS = {"ns": 1.0, "us": 1e3, "ms": 1e6}
MEASURES = {"wall": "wall time", "cpu": "CPU time", "calls": "system calls"}

INTRODUCTION = """\
# Benchmarks

Written by `make bench`; do not edit. What each bench asks, and how, stands in
[`bench/README.md`](../bench/README.md); the figures of this page are in
[`bench/results/`](../bench/results/) as JSON.

Only the ratios mean something, and only those within one table: its rows were measured in turns, on
the same two processors. A row *again* is the row above it measured a second time; its ratio (A/A)
shows what noise alone does. Times are medians over all rounds, with the quartiles in brackets, for
one step and over all processes that take part. The ratios are medians of the ratios of each round.

In the figures a point is the median over all rounds, the bar reaches from quartile to quartile, and
the tick is the slowest hundredth: the mean step of the slowest of a hundred rounds.
"""


def main() -> None:
    """Read one run and write it down."""
    run = json.loads(Path(sys.argv[1]).read_text())
    result = {
        "date": run["datetime"][:10],
        **run["machine_info"]["bench"],
        "tables": [
            {"bench": bench_of(benchmark["fullname"]), **table}
            for benchmark in run["benchmarks"]
            for table in benchmark["extra_info"]["findings"]
        ],
    }
    page = as_page(result)
    print(page)
    if {table["bench"] for table in result["tables"]} == set(BENCHES):
        from bench import figures  # It needs matplotlib, which not all have who read reports.

        figures.draw(result["tables"], ROOT / "docs" / "figures")
        (ROOT / "docs" / "benchmarks.md").write_text(page)
        kept = ROOT / "bench" / "results" / f"{result['date']}-cpu.json"
        kept.write_text(json.dumps(result, indent=1) + "\n")


def bench_of(test: str) -> str:
    """Name the bench of a test, from its path below ``bench/``."""
    return str(Path(test.partition("::")[0]).with_suffix("")).removeprefix("bench/")


def as_page(result: dict[str, Any]) -> str:
    """Render everything."""
    facts = {"date": result["date"], **result["machine"], **result["versions"]}
    parts = [
        INTRODUCTION,
        "## Machine and versions\n",
        table(["", ""], [[name, value] for name, value in facts.items()]),
        "## Goals\n",
        goals(result["tables"]),
    ]
    for bench in BENCHES:
        found = [one for one in result["tables"] if one["bench"] == bench]
        if found:
            parts += [f"## {question(bench)}\n", *map(section, found)]
    from bench.gpu import page  # It uses what is above.

    parts.append(page.section())
    return "\n".join(parts)


def goals(tables: list[dict[str, Any]]) -> str:
    """Render what was to be reached, and whether it was."""
    verdicts = {True: "yes", False: "**no**", None: "not measured"}
    rows = []
    for one in tables:
        for goal in one["goals"]:
            found = ", ".join(f"{number(v)} {MEASURES[k]}" for k, v in goal["found"].items())
            rows.append(
                [one["title"], goal["text"], goal["limit"], found, verdicts[goal["is_met"]]]
            )
    return table(["Where", "What", "Goal", "Found", "Met"], rows)


def section(found: dict[str, Any]) -> str:
    """Render one table of twins."""
    from bench import figures

    unit = found["unit"]
    reference = found["reference"]
    head = [
        "",
        f"wall, {unit}",
        f"CPU, {unit}",
        "system calls",
        "sleeps",
        "wall ratio",
        "CPU ratio",
    ]
    rows = [
        [
            f"**{row['name']}**" if row["name"] == reference else row["name"],
            spread(row["wall_ns"], UNITS[unit]),
            spread(row["cpu_ns"], UNITS[unit]),
            "?" if row["system_calls"] is None else f"{row['system_calls']:.2f}",
            f"{row['sleeps']:.2f}",
            number(row["wall_ratio"][1]),
            number(row["cpu_ratio"][1]),
        ]
        for row in found["rows"]
    ]
    parts = [
        f"### {found['title']}\n",
        f"{found['rounds']} rounds; ratios are those to the row in bold.\n",
        f"![{found['title']}](figures/{figures.name(found['title'])})\n",
        table(head, rows),
        *(f"{note}\n" for note in found["notes"]),
    ]
    if found["absent"]:
        parts.append(f"Absent: {'; '.join(found['absent'])}.\n")
    return "\n".join(parts)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Lay out cells as Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def spread(quartiles: list[float], unit: float) -> str:
    """Write a median with its quartiles."""
    low, median, high = (number(value / unit) for value in quartiles)
    return f"{median} ({low} to {high})"


def number(value: float) -> str:
    """Write three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def question(bench: str) -> str:
    """Read what a bench asks: the first line of its file."""
    text = (ROOT / "bench" / f"{bench}.py").read_text()
    return (ast.get_docstring(ast.parse(text)) or bench).partition("\n")[0]


if __name__ == "__main__":
    main()
