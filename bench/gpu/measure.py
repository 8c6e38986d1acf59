# SPDX-License-Identifier: Apache-2.0
"""Runs one bench and writes what it finds, table by table.

Usage: python -m bench.gpu.measure BENCH SECONDS FILE [--smoke]
"""

from __future__ import annotations

import ast
import importlib
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from bench.gpu.session import Session
from bench.harness.workers import ROOT


class Bench(NamedTuple):
    """A module of ``bench.gpu.benches``.

    Parameters
    ----------
    study
        Its number there.
    seconds
        After that it is ended.
    table_seconds
        After that no new round of a table begins.
    """

    study: str
    seconds: float
    table_seconds: float


#: By value: what tells most comes first, for the time may not suffice for all.
BENCHES = {
    "handover": Bench("B1", 30, 10),
    "bandwidth": Bench("B5", 25, 5),
    "transfer": Bench("B6", 25, 5),
    "opening": Bench("B4", 45, 15),
    "pipeline": Bench("B8", 80, 10),
    "ordering": Bench("B2 and B3", 40, 15),
    "pinning": Bench("B7", 25, 6),
}


def question(bench: str) -> str:
    """Read what a bench asks: the first line of its file."""
    text = (ROOT / "bench" / "gpu" / "benches" / f"{bench}.py").read_text()
    return (ast.get_docstring(ast.parse(text)) or bench).partition("\n")[0]


def main() -> None:
    """Measure; the file is written anew after each table, so an end by force loses one only."""
    bench, seconds, file, *options = sys.argv[1:]
    module = importlib.import_module(f"bench.gpu.benches.{bench}")
    tables: list[dict[str, Any]] = []
    with Session(float(seconds), is_smoke="--smoke" in options) as session:
        for findings in module.measure(session):
            tables.append({"bench": bench, **findings.as_json()})
            Path(file).write_text(json.dumps(tables))


if __name__ == "__main__":
    main()
