# SPDX-License-Identifier: Apache-2.0
"""What does it cost to map a variable that is mapped already, next to what others do then?"""

from __future__ import annotations

import multiprocessing
import secrets
from multiprocessing import shared_memory  # noqa: TID251 - a peer that is measured

import numpy as np
import pytest

import clara_fastio as fastio
from bench.harness.cython_step import load
from bench.harness.findings import Findings
from bench.harness.sampling import Statement
from bench.harness.workers import CPUS, Crew, compiled

try:
    from tritonclient.utils import shared_memory as triton
except ImportError:
    triton = None

SHAPE = (1024,)
DTYPE = np.dtype("float32")
NBYTES = 4096

ARRAY = "np.frombuffer"
BARE_ARRAY = "PyArray_NewFromDescr, called from Cython"
READ = 'clara_fastio: with variable.map("r")'
WRITE = 'clara_fastio: with variable.map("w")'


@pytest.fixture
def ours():
    with fastio.create_context(capacity=1024) as context:
        variable = context.variable("volume", shape=SHAPE, dtype=DTYPE)
        with variable.map("w") as array:
            array[...] = 1
        allocation = context.create(NBYTES)
        allocation.set_type_and_dimensions(DTYPE, SHAPE)
        names = {"variable": variable, "allocation": allocation}
        yield {
            READ: Statement("with variable.map('r') as array: pass", names),
            WRITE: Statement("with variable.map('w') as array: pass", names),
            "clara_fastio: mapping = variable.map(); mapping.array; variable.unmap()": Statement(
                "mapping = variable.map(); array = mapping.array; variable.unmap()", names
            ),
            "clara_fastio: with allocation.map()": Statement(
                "with allocation.map() as array: pass", names
            ),
        }
        del names, variable, allocation


@pytest.fixture
def limits():
    step = load()
    names = {"np": np, "memory": memoryview(bytearray(NBYTES)), "dtype": DTYPE}
    return {
        ARRAY: Statement("array = np.frombuffer(memory, dtype)", names),
        f"{ARRAY}, again": Statement("array = np.frombuffer(memory, dtype)", names),
        "empty Cython call": Statement("empty()", {"empty": step.empty}),
        "pthread mutex, called from Cython": Statement("mutex()", {"mutex": step.mutex}),
        BARE_ARRAY: Statement("array = make()", {"make": step.array}),
    }


STANDARD_KEPT = "multiprocessing.shared_memory + Lock, kept"
STANDARD_ATTACHED = "multiprocessing.shared_memory + Lock, attached per message"
TRITON_KEPT = "tritonclient, kept"
TRITON_ATTACHED = "tritonclient, attached per message"
KEPT = (STANDARD_KEPT, TRITON_KEPT)
ATTACHED = (STANDARD_ATTACHED, TRITON_ATTACHED)


@pytest.fixture
def standard_library():
    memory = shared_memory.SharedMemory(create=True, size=NBYTES)
    names = {
        "np": np,
        "memory": memory,
        "name": memory.name,
        "open": shared_memory.SharedMemory,
        "lock": multiprocessing.Lock(),
        "shape": SHAPE,
        "dtype": DTYPE,
    }
    yield {
        STANDARD_KEPT: Statement("with lock: array = np.ndarray(shape, dtype, memory.buf)", names),
        STANDARD_ATTACHED: Statement(
            "opened = open(name)\n"
            "with lock: array = np.ndarray(shape, dtype, opened.buf)\n"
            "del array\n"
            "opened.close()",
            names,
        ),
    }
    memory.close()
    memory.unlink()


@pytest.fixture
def triton_client():
    if triton is None:
        yield {}
        return
    key = f"bench-{secrets.token_hex(8)}"
    region = triton.create_shared_memory_region("bench", key, NBYTES, create_only=True)
    names = {"triton": triton, "region": region, "key": key, "shape": SHAPE, "dtype": DTYPE}
    yield {
        TRITON_KEPT: Statement("array = triton.get_contents_as_numpy(region, dtype, shape)", names),
        TRITON_ATTACHED: Statement(
            f"opened = triton.create_shared_memory_region('bench', key, {NBYTES})\n"
            "array = triton.get_contents_as_numpy(opened, dtype, shape)\n"
            "del array\n"
            "triton.destroy_shared_memory_region(opened)",
            names,
        ),
    }
    triton.destroy_shared_memory_region(region)


def test_map_from_python(measure, report, ours, limits, standard_library, triton_client):
    twins = {**limits, **ours, **standard_library, **triton_client}
    turns = measure(twins, block=0.004, rounds=60)
    findings = Findings("Mapping from Python: lock, array, unlock", turns, ARRAY)
    if triton is None:
        findings.absent.append("tritonclient (not installed)")
    for mode, name in (("reading", READ), ("writing", WRITE)):
        findings.at_most(
            f"{mode}: nanoseconds above making the array alone",
            300,
            **findings.differences(name, ARRAY),
        )
        for kept in filter(twins.__contains__, KEPT):
            findings.at_most(f"{mode} / {kept}", 1, **findings.ratios(name, kept))
        for attached in filter(twins.__contains__, ATTACHED):
            findings.at_least(f"{attached} / {mode}", 10, **findings.ratios(attached, name))
        findings.at_most(f"{mode}: system calls", 0, **findings.calls(name))
        above = findings.differences(name, BARE_ARRAY)
        findings.notes.append(
            f"{mode.capitalize()} is {above['wall']:.0f} ns of wall time and {above['cpu']:.0f} ns "
            "of CPU time above an array made by numpy's C API, without a call through numpy."
        )
    report(findings)


MUTEX = "pthread mutex"
CPP = {
    MUTEX: "mutex",
    f"{MUTEX}, again": "mutex",
    f"{MUTEX}, shared and robust": "robust_mutex",
    "clara_fastio: read, a new Mapping each time": "read",
    "clara_fastio: write, a new Mapping each time": "write",
    "clara_fastio: read, the same Mapping again": "read_again",
    "clara_fastio: write, the same Mapping again": "write_again",
}


def test_map_from_cpp(measure, report, crew):
    workers = crew((compiled("bench_map"), CPUS[0]))
    twins = {name: Crew(workers, case) for name, case in CPP.items()}
    turns = measure(twins, block=0.004, rounds=60)
    findings = Findings("Mapping from C++: lock, address, unlock", turns, MUTEX)
    for name in list(CPP)[3:]:
        step = name.removeprefix("clara_fastio: ")
        findings.at_most(f"{step} / {MUTEX}", 5, **findings.ratios(name, MUTEX))
        findings.at_most(f"{step}: system calls", 0, **findings.calls(name))
    report(findings)
