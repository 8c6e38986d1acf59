# SPDX-License-Identifier: Apache-2.0
"""The ten questions that only a device can answer (the study's 8.6), each in processes of its own.

Usage: python -m bench.gpu.questions [NUMBER...]
Some crash or hang on purpose: each probe has a time-out, and what it said until then counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.gpu import mps
from bench.harness.workers import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True)
class Probe:
    """One program that answers a part of a question."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    seconds: float = 30
    needs_mps: bool = False


@dataclass(frozen=True)
class Question:
    """One of the ten."""

    number: int
    text: str
    probes: tuple[Probe, ...] = field(default=())


def _one(number: int, text: str, module: str, **options: Any) -> Question:
    return Question(number, text, (Probe(module, module, **options),))


SIZES = ("0.0625", "1", "8", "32")
QUESTIONS = (
    _one(
        1,
        "Does cuMemSetAccess for reading succeed on an imported handle, and does a write fault "
        "only the writer?",
        "read_only",
        seconds=60,
    ),
    Question(2, "Can one process map one handle for reading and for both? (answered in 1)"),
    _one(3, "Do stream memory operations work on registered host memory, in both?", "words"),
    _one(4, "Do interprocess events work with and without a common /dev/shm?", "events"),
    _one(
        5,
        "Is memory valid, and is it given back, after its exporter was killed?",
        "deaths",
        seconds=60,
    ),
    Question(
        6,
        "What does it cost to open 64 MiB, 1, 8 and 32 GiB: VMM, legacy, pool?",
        (
            Probe("vmm", "opening", ("vmm", *SIZES)),
            Probe("legacy", "opening", ("legacy", *SIZES), 45),
            Probe("pool up to 4 GiB", "opening", ("pool", "0.0625", "1", "4")),
            Probe("pool of 8 GiB", "opening", ("pool", "8")),
        ),
    ),
    Question(
        7,
        "How long is the way from one process's stream to the other, without and with MPS?",
        (
            Probe("without MPS", "latency"),
            Probe("with MPS", "latency", needs_mps=True),
        ),
    ),
    _one(8, "On what kind of machine is this: bare, gVisor, Firecracker?", "surroundings"),
    Question(9, "Which granularity does the device report? (answered in 8)"),
    _one(
        10,
        "How long does pinning take, and how fast are copies, with small and with huge pages?",
        "pages",
        seconds=60,
    ),
)


def answer(question: Question, seconds: float) -> dict[str, Any]:
    """Run the probes of a question; give what they said, or what became of them."""
    found: dict[str, Any] = {}
    deadline = time.monotonic() + seconds
    for probe in question.probes:
        left = deadline - time.monotonic()
        if left < 2:
            found[probe.name] = {"outcome": "not run: no time"}
        elif not probe.needs_mps:
            found[probe.name] = run(probe, min(left, probe.seconds))
        elif refusal := mps.why_not():
            found[probe.name] = {"outcome": f"not run: {refusal}"}
        else:
            with mps.running() as environment:
                found[probe.name] = run(probe, min(left, probe.seconds), environment)
    return {"number": question.number, "question": question.text, "answers": found}


def run(
    probe: Probe, seconds: float, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run one probe, in a process group that ends with it."""
    command = [sys.executable, "-m", f"bench.gpu.probes.{probe.module}", *probe.arguments]
    begin = time.monotonic()
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        with ended(process):
            try:
                status = process.wait(seconds)
                outcome = "answered" if status == 0 else f"ended with status {status}"
            except subprocess.TimeoutExpired:
                outcome = f"no end within {seconds:.0f} s"
        output.seek(0)
        errors.seek(0)
        said, complaint = last_answer(output), errors.read()[-600:]
    found = {"outcome": outcome, "seconds": round(time.monotonic() - begin, 2), "answer": said}
    if outcome != "answered":
        found["errors"] = complaint
    return found


@contextlib.contextmanager
def ended(process: subprocess.Popen[Any]) -> Iterator[None]:
    """Kill the process and what it started, when the block is over."""
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # A process that the driver holds on to may not end now; it must not hold us as well.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)


def last_answer(lines: Iterable[str]) -> Any:
    """Read the last line that is JSON; whatever else was printed is none."""
    found = None
    for line in lines:
        with contextlib.suppress(ValueError):
            found = json.loads(line)
    return found


def main() -> None:
    """Answer some or all, and print what was found."""
    wanted = {int(text) for text in sys.argv[1:]} or {one.number for one in QUESTIONS}
    for question in QUESTIONS:
        if question.number in wanted:
            print(json.dumps(answer(question, 300), indent=1), flush=True)


if __name__ == "__main__":
    main()
