# SPDX-License-Identifier: Apache-2.0
"""A probe and its other processes: one asks, the other answers, line by line and as JSON."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ROOT = Path(__file__).resolve().parents[3]


class OtherError(Exception):
    """The other process failed, ended or stayed silent; the text says which."""


class Other:
    """Another process of a probe.

    Parameters
    ----------
    probe
        The module in ``bench.gpu.probes`` that it runs.
    arguments
        Become ``sys.argv[1:]``.
    pass_fds
        Descriptors that it inherits under the same numbers.
    """

    def __init__(
        self,
        probe: str,
        *arguments: object,
        pass_fds: Iterable[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"bench.gpu.probes.{probe}", *map(str, arguments)],
            bufsize=0,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            pass_fds=tuple(pass_fds),
        )
        self._unread = b""

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def tell(self, question: str, **arguments: Any) -> None:
        """Ask, and do not wait."""
        line = json.dumps([question, arguments]) + "\n"
        try:
            self._process.stdin.write(line.encode())
        except BrokenPipeError:
            raise OtherError(f"it has ended: {self._process.wait()}") from None

    def answer(self, timeout: float = 60) -> Any:
        """Wait for the answer to what was asked."""
        while b"\n" not in self._unread:
            with selectors.DefaultSelector() as selector:
                selector.register(self._process.stdout, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise OtherError(f"no answer within {timeout:g} s")
            received = self._process.stdout.read(65536)
            if not received:
                raise OtherError(f"it has ended: {self._process.wait()}")
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\n")
        answer = json.loads(line)
        if "error" in answer:
            raise OtherError(answer["error"])
        return answer["value"]

    def ask(self, question: str, timeout: float = 60, **arguments: Any) -> Any:
        """Ask and wait for the answer."""
        self.tell(question, **arguments)
        return self.answer(timeout)

    def kill(self) -> None:
        """Kill it, and wait until the kernel has taken it down."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it: at once, since a faulty context may never end by itself."""
        self.kill()
        self._process.stdin.close()
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(answers: Mapping[str, Callable[..., Any]]) -> None:
    """Answer questions until the end of the input."""
    for line in sys.stdin:
        question, arguments = json.loads(line)
        try:
            answer = {"value": answers[question](**arguments)}
        except Exception as error:  # noqa: BLE001 - whatever it is, who asked is told
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def outcome(action: Callable[[], Any]) -> Any:
    """Do something that may be refused; give what came of it, or the refusal."""
    try:
        value = action()
    except Exception as error:  # noqa: BLE001 - the refusal is the answer
        return f"{type(error).__name__}: {error}"
    return "success" if value is None else value


def conclude(answer: Mapping[str, Any]) -> None:
    """Give the answer of the whole probe."""
    print(json.dumps(answer), flush=True)
