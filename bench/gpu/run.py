# SPDX-License-Identifier: Apache-2.0
"""Builds, tests, asks and measures on a device, and writes one report. `make gpu` starts it.

Usage: python -m bench.gpu.run [FOLDER]
The report goes into the folder, by default ``bench/results``, and is written anew after each part:
if the run is ended, what was found until then is there. ``CLARA_FASTIO_GPU_TIME`` is how many
seconds it may take, 560 by default; what does not fit is listed as not run.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.gpu import measure, mps, questions, report, surroundings
from bench.harness import machine
from bench.harness.workers import ROOT

WORK = ROOT / "build" / "gpu"
NO_TIME = "not run: no time"

#: Seconds that a part may take at most; the tests come first, being worth the most.
TESTS, ALONE = 170, 170

#: Tests that can run beside each other. The unit tests of arrays need no device, but they need
#: cupy, which CI has not.
GROUPS = {
    "a": ("test_round_trip", "test_order", "test_visibility", "unit/test_device_array"),
    "b": ("test_backends", "test_cache"),
    "c": ("test_interop", "test_namespaces", "test_pinned"),
}

#: Measured again under the service, which changes these.
UNDER_MPS = ("handover", "pipeline", "ordering")

#: Seconds without which it is no use to begin something.
LEAST = 8

LOOK = """
import dataclasses, json, clara_fastio
print(json.dumps(dataclasses.asdict(clara_fastio.capabilities())))
"""


class Run:
    """One run: the time that it has, and what it has found so far."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._begin = time.monotonic()
        self._seconds = seconds
        self._folder = folder
        date = dt.datetime.now(dt.UTC).date().isoformat()
        self.found: dict[str, Any] = {
            "date": date,
            "commit": os.environ.get("CLARA_FASTIO_COMMIT") or machine.versions()["commit"],
            "machine": machine.describe(),
            "versions": surroundings.versions(),
            "device": {},
            "missing": [],
            "log": [],
            "tests": [],
            "questions": [],
            "benches": [],
        }
        self._stem = f"{date}-gpu"

    def left(self) -> float:
        """Seconds that are left."""
        return self._seconds - (time.monotonic() - self._begin)

    def write(self) -> None:
        """Write what was found so far."""
        self.found["seconds"] = {
            "allowed": self._seconds,
            "used": round(time.monotonic() - self._begin, 1),
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._stem}.json"
        path.write_text(json.dumps(self.found, indent=1) + "\n")
        path.with_suffix(".md").write_text(report.as_page(self.found))

    def say(self, text: str) -> None:
        """Tell whoever watches."""
        print(f"[{time.monotonic() - self._begin:5.0f} s] {text}", flush=True)

    def command(
        self,
        arguments: list[str],
        seconds: float,
        environment: dict[str, str],
        log_name: str = "log",
    ) -> tuple[int | None, str]:
        """Run a command and all that it starts; give its status, None after the time is over."""
        log = WORK / log_name
        with log.open("w") as output:
            process = subprocess.Popen(
                arguments,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = process.wait(max(1.0, min(seconds, self.left())))
            except subprocess.TimeoutExpired:
                status = None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
        return status, log.read_text(errors="replace")[-3000:]


def prepare(run: Run) -> surroundings.Surroundings | None:
    """Look for what is needed, say what is missing, and build; nothing when that is no use."""
    around = surroundings.look()
    run.found["missing"] = around.missing
    run.say(f"missing: {', '.join(around.missing) or 'nothing'}")
    if not around.can_build:
        run.say("the package cannot be built without these; `make gpu-wheels` fetches wheels")
        return None
    is_built = surroundings.build(around)
    run.found["log"] = around.log
    run.say(around.log[-1] if around.log else "nothing was built")
    if not is_built:
        return None
    status, said = run.command([sys.executable, "-c", LOOK], 60, around.environment)
    answer = questions.last_answer(said.splitlines())
    if status == 0 and isinstance(answer, dict):
        run.found["device"] = answer
    else:
        run.found["log"].append(said)
    if not run.found["device"].get("available"):
        run.say(f"no device: {run.found['device'].get('reason', said)}")
        return None
    run.say(run.found["device"]["devices"][0]["name"])
    return around


def test(run: Run, around: surroundings.Surroundings) -> None:
    """Run the tests: groups of files beside each other, then those that others would disturb."""
    if not around.can_test:
        run.say("the tests need what is missing")
        return
    with ThreadPoolExecutor(len(GROUPS)) as pool:
        together = [
            pool.submit(
                test_files, run, around, name, TESTS, ["-m", "not alone", *map(path_of, stems)]
            )
            for name, stems in GROUPS.items()
        ]
        for one in together:
            run.found["tests"] += one.result()
    run.write()
    run.found["tests"] += test_files(run, around, "alone", ALONE, ["-m", "alone", "tests/cuda"])
    run.write()


def path_of(stem: str) -> str:
    """Name a file of tests."""
    return f"tests/{stem if '/' in stem else f'cuda/{stem}'}.py"


def test_files(
    run: Run, around: surroundings.Surroundings, name: str, seconds: float, arguments: list[str]
) -> list[dict[str, Any]]:
    """Run some tests in a process of their own; give their results."""
    if run.left() < LEAST:
        return [{"name": f"tests {name}", "outcome": NO_TIME}]
    results, progress = (WORK / f"tests-{name}.{kind}" for kind in ("xml", "jsonl"))
    for path in (results, progress):
        path.unlink(missing_ok=True)
    environment = {
        **around.environment,
        "CLARA_FASTIO_TEST_PROGRESS": str(progress),
        # Plugins of other projects that lie around there may not fit, and none of them is needed.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_PLUGINS": "pytest_timeout",
    }
    command = [sys.executable, "-m", "pytest", "-W", "default", "-p", "no:cacheprovider", "-q"]
    command += [f"--junitxml={results}", *arguments]
    status, said = run.command(command, seconds, environment, f"tests-{name}.log")
    found = results_of(results) or progress_of(progress)
    passed = sum(one["outcome"] == "passed" for one in found)
    run.say(f"tests {name}: {passed} of {len(found)} passed")
    if status not in (0, 1):
        what = "no end in time" if status is None else f"pytest ended with {status}"
        found.append(
            {"name": f"tests {name}", "outcome": f"incomplete: {what}", "message": said[-1500:]}
        )
    return found


def results_of(path: Path) -> list[dict[str, Any]]:
    """Read pytest's file of results."""
    if not path.exists():
        return []
    found = []
    for case in ET.parse(path).iter("testcase"):
        details = {one.get("name"): one.get("value") for one in case.iter("property")}
        result = next((one for one in case if one.tag in {"failure", "error", "skipped"}), None)
        one = {
            "study": details.pop("study", ""),
            "name": f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}",
            "outcome": "passed" if result is None else result.tag.replace("failure", "failed"),
            "seconds": float(case.get("time", 0)),
            "details": details,
        }
        if result is not None:
            one["message"] = (result.get("message") or "")[:1500]
        found.append(one)
    return found


def progress_of(path: Path) -> list[dict[str, Any]]:
    """Read what the tests wrote one by one, where pytest was ended before it wrote its file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def ask(run: Run, around: surroundings.Surroundings) -> None:
    """Answer the ten questions."""
    os.environ.update(around.environment)
    for question in questions.QUESTIONS:
        run.found["questions"].append(questions.answer(question, max(0.0, min(90.0, run.left()))))
        run.say(f"question {question.number}")
        run.write()


def measure_all(run: Run, around: surroundings.Surroundings) -> None:
    """Run the benches, then some of them again under the service."""
    for bench in measure.BENCHES:
        measure_one(run, around.environment, bench, "")
    if refusal := mps.why_not():
        run.found["log"].append(f"nothing was measured under MPS: {refusal}")
        return
    if run.left() < LEAST:
        return
    try:
        with mps.running() as environment:
            for bench in UNDER_MPS:
                measure_one(run, {**around.environment, **environment}, bench, ", under MPS")
    except (OSError, subprocess.SubprocessError) as error:
        run.found["log"].append(f"MPS did not start: {error}")


def measure_one(run: Run, environment: dict[str, str], bench: str, suffix: str) -> None:
    """Run one bench in a process of its own."""
    one: dict[str, Any] = {
        "bench": measure.BENCHES[bench].study + suffix,
        "question": measure.question(bench),
        "tables": [],
    }
    run.found["benches"].append(one)
    if run.left() < LEAST:
        one["outcome"] = NO_TIME
        return
    file = WORK / "tables.json"
    file.unlink(missing_ok=True)
    plan = measure.BENCHES[bench]
    seconds = min(plan.seconds, run.left() - 2)
    # Where there is less time than planned for, every table gets its share of that.
    each = plan.table_seconds * seconds / plan.seconds
    command = [sys.executable, "-m", "bench.gpu.measure", bench, f"{each:.1f}", str(file)]
    status, said = run.command(command, seconds, environment)
    one["tables"] = json.loads(file.read_text()) if file.exists() else []
    one["outcome"] = "measured" if status == 0 else f"incomplete: {status}"
    if status != 0:
        one["message"] = said[-1500:]
    run.say(f"{one['bench']}: {one['outcome']}")
    run.write()


def main() -> int:
    """Do everything; 3 when there was no device, 1 when a test failed."""
    if os.environ.get("CLARA_FASTIO_CUDA_DRIVER"):
        print("CLARA_FASTIO_CUDA_DRIVER is set: figures of another driver are never written")
        return 2
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "bench" / "results"
    WORK.mkdir(parents=True, exist_ok=True)
    run = Run(folder, float(os.environ.get("CLARA_FASTIO_GPU_TIME", "560")))
    around = prepare(run)
    if around is None:
        print("nothing was run, and nothing was written", *run.found["log"], sep="\n")
        return 3
    run.write()
    for part in (test, ask, measure_all):
        try:
            part(run, around)
        except Exception as error:  # noqa: BLE001 - the parts after it are worth no less
            run.found["log"].append(f"{part.__name__}: {type(error).__name__}: {error}")
            run.say(run.found["log"][-1])
    run.write()
    bad = [one for one in run.found["tests"] if one["outcome"] not in {"passed", "skipped"}]
    run.say(f"{len(bad)} tests did not pass; the report is {folder}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
