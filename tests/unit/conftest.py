# SPDX-License-Identifier: Apache-2.0
"""A context of this process, and another process that has it open."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

import pytest

from clara_fastio.testing import temporary_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import clara_fastio as fastio
    from tests.helpers.processes import Program

LOOP = """
import json, sys
import numpy as np
import clara_fastio as fastio

names = {"np": np, "fastio": fastio, "context": fastio.open_context(sys.argv[1])}
print("ready", flush=True)
for line in sys.stdin:
    how, code = json.loads(line)
    answer = {}
    try:
        if how == "value":
            answer["value"] = eval(code, names)
        else:
            exec(code, names)
    except Exception as error:
        answer["error"] = f"{type(error).__name__}: {error}"
    print(json.dumps(answer), flush=True)
"""


class Peer:
    """Another process with `context` open, that does what it is told."""

    def __init__(self, program: Program) -> None:
        self._program = program
        program.expect("ready")

    @property
    def pid(self) -> int:
        return self._program.pid

    def begin(self, code: str) -> Self:
        """Let it do something, and do not wait for it."""
        self._program.send(json.dumps(["do", code]))
        return self

    def end(self) -> None:
        """Wait for what was begun."""
        answer = self._answer()
        assert "error" not in answer, answer["error"]

    def do(self, code: str) -> None:
        self.begin(code).end()

    def value(self, expression: str) -> Any:
        self._program.send(json.dumps(["value", expression]))
        answer = self._answer()
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def error(self, code: str) -> str:
        """Let it fail; return the class of the error and its message."""
        answer = self.begin(code)._answer()
        assert "error" in answer, f"{code!r} did not fail"
        return answer["error"]

    def kill(self) -> None:
        self._program.kill()

    def _answer(self) -> dict[str, Any]:
        return json.loads(self._program.read_line())


@pytest.fixture
def context(context_name: str) -> Iterator[fastio.Context]:
    """Host a context until the end of the test."""
    with temporary_context(context_name) as context:
        yield context


@pytest.fixture
def new_peer(context: fastio.Context, run_program: Callable[..., Program]) -> Callable[[], Peer]:
    """Start processes that have the context open."""
    return lambda: Peer(run_program(LOOP, context.name))


@pytest.fixture
def peer(new_peer: Callable[[], Peer]) -> Peer:
    """Another process that has the context open."""
    return new_peer()
