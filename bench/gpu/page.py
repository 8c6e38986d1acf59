# SPDX-License-Identifier: Apache-2.0
"""The section of ``docs/benchmarks.md`` that tells what was found on a GPU, or that none was used.

Usage: python -m bench.gpu.page, which writes that section anew and leaves the rest as it is.
"""

from __future__ import annotations

import json

from bench.gpu.report import facts
from bench.report import ROOT, goals, table

PAGE = ROOT / "docs" / "benchmarks.md"
HEADING = "## On a GPU\n"

NOTHING = """\
No figures: no GPU could be used so far, and those of the fake driver, with which device memory is
tested, would say nothing. On a machine with a GPU this command builds the library, runs the tests
of device memory (T1 to T15), asks ten questions about the driver, measures eight benchmarks (B1 to
B8) beside their twins, and writes a report into [`bench/results/`](../bench/results/), all within
ten minutes:

```console
$ make gpu && python -m bench.gpu.page
```

What is measured, against what, and the goals:
[`bench/gpu/README.md`](../bench/gpu/README.md).
"""


def section() -> str:
    """Render the newest report in short, or say that there is none."""
    reports = sorted((ROOT / "bench" / "results").glob("*-gpu.json"))
    if not reports:
        return f"{HEADING}\n{NOTHING}"
    found = json.loads(reports[-1].read_text())
    outcomes = [one["outcome"] for one in found["tests"]]
    passed = outcomes.count("passed")
    names = ("date", "commit", "GPU", "memory of the GPU", "CUDA of the driver", "cupy-cuda12x")
    rows = {name: str(value) for name, value in facts(found).items() if name in names}
    rows["tests"] = f"{passed} of {len(outcomes)} passed, {outcomes.count('skipped')} skipped"
    rows["report"] = f"[{reports[-1].stem}](../bench/results/{reports[-1].stem}.md)"
    tables = [one for bench in found["benches"] for one in bench["tables"]]
    return "\n".join(
        [HEADING, table(["", ""], [[name, text] for name, text in rows.items()]), goals(tables)]
    )


def main() -> None:
    """Write the section in place of the one that is there."""
    text = PAGE.read_text()
    before, _, after = text.partition(HEADING)
    _, heading, rest = after.partition("\n## ")
    PAGE.write_text(f"{before.rstrip()}\n\n{section()}{heading}{rest}")


if __name__ == "__main__":
    main()
