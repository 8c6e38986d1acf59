# SPDX-License-Identifier: Apache-2.0
"""What measures on a GPU is executed on the fake driver, where nothing that it finds counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from bench.gpu import page, questions, report, run
from bench.gpu.measure import BENCHES, question
from tests.helpers.processes import ROOT

FAKE = ROOT / "build" / "test" / "cpp" / "libfake_cuda.so"

#: They need no kernel, and of the driver only what the library needs as well.
WITHOUT_KERNELS = ("handover", "opening")


@pytest.fixture
def fake(monkeypatch):
    """Processes that are started use the fake driver."""
    monkeypatch.setenv("CLARA_FASTIO_CUDA_DRIVER", str(FAKE))
    monkeypatch.setenv("FAKE_CUDA_DELAY", "0-20")


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("bench", WITHOUT_KERNELS)
def test_bench_finds_something(bench, tmp_path):
    file = tmp_path / "tables.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench.gpu.measure", bench, "1", str(file), "--smoke"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    for table in json.loads(file.read_text()):
        assert table["rows"]
        assert table["goals"]
        assert table["title"] in report.section(table)


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    ("module", "key", "expected"),
    [
        ("words", "memfd", {"waits until the other's stream has written": True}),
        ("surroundings", "granularity, least", 2 << 20),
    ],
)
def test_probe_answers(module, key, expected):
    found = questions.run(questions.Probe("probe", module), 40)
    assert found["outcome"] == "answered", found
    answer = found["answer"][key]
    assert answer == expected or expected.items() <= answer.items()


def test_probe_that_fails_says_why(monkeypatch):
    monkeypatch.setenv("CLARA_FASTIO_CUDA_DRIVER", "/nowhere/libcuda.so")
    found = questions.run(questions.Probe("probe", "words"), 40)
    assert found["outcome"] == "answered"
    assert "/nowhere/libcuda.so" in found["answer"]["memfd"]


@pytest.mark.usefixtures("fake")
def test_figures_of_another_driver_are_refused(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "bench.gpu.run", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        env=dict(os.environ),
    )
    assert done.returncode == 2
    assert "never written" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_every_bench_asks_a_question():
    for name, bench in BENCHES.items():
        assert question(name).startswith(bench.study), name
        assert question(name).endswith("?"), name


def test_every_file_of_tests_is_run():
    grouped = {stem for stems in run.GROUPS.values() for stem in stems}
    for path in (ROOT / "tests" / "cuda").glob("test_*.py"):
        is_alone = "\npytestmark = pytest.mark.alone" in (text := path.read_text())
        is_alone |= '\npytestmark = [pytest.mark.study("T4"), pytest.mark.alone]' in text
        assert is_alone != (path.stem in grouped), path.name


def test_all_ten_questions_are_there():
    assert [one.number for one in questions.QUESTIONS] == list(range(1, 11))


def test_results_of_tests_are_read(tmp_path):
    path = tmp_path / "tests.xml"
    path.write_text("""
        <testsuites><testsuite>
        <testcase classname="tests.cuda.test_order" name="test_it" time="1.5">
          <properties><property name="study" value="T2"/>
          <property name="map_ms" value="0.1"/></properties></testcase>
        <testcase classname="tests.cuda.test_order" name="test_other" time="2">
          <failure message="assert 1 == 2">...</failure></testcase>
        </testsuite></testsuites>
    """)
    first, second = run.results_of(path)
    assert first == {
        "study": "T2",
        "name": "test_order::test_it",
        "outcome": "passed",
        "seconds": 1.5,
        "details": {"map_ms": "0.1"},
    }
    assert (second["outcome"], second["message"]) == ("failed", "assert 1 == 2")
    text = report.tests([first, second])
    assert "| T2 | test_order::test_it | passed |" in text


def test_page_keeps_the_section_that_is_due():
    assert page.section() in page.PAGE.read_text()
