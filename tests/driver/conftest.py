# SPDX-License-Identifier: Apache-2.0
"""A clean environment for drivers, and the runner's end of a control channel."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any, Self

import pytest

from clara_fastio.driver import Driver
from tests.driver.job import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_KEPT = {"CLARA_FASTIO_DEBUG", "CLARA_FASTIO_DIR"}


class RunnerEnd:
    """What a runner does with the control channel of one driver."""

    def __init__(self) -> None:
        self._mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._lines = self._mine.makefile("rb")
        #: To be inherited by a program; a driver of this process takes it over.
        self.fd = theirs.detach()
        self._has_fd = True

    @property
    def environment(self) -> dict[str, str]:
        return {"CLARA_FASTIO_CONTROL": f"fd:{self.fd}"}

    def send(self, **message: Any) -> None:
        self.send_bytes(json.dumps(message).encode() + b"\n")

    def send_bytes(self, data: bytes) -> None:
        self._mine.sendall(data)

    def read(self) -> dict[str, Any] | None:
        """Wait for the next message; None at the end of file."""
        line = self._lines.readline()
        return json.loads(line) if line else None

    def read_until(self, **wanted: Any) -> dict[str, Any]:
        """Wait for a message that says what is wanted."""
        while (message := self.read()) is not None:
            if wanted.items() <= message.items():
                return message
        raise AssertionError(f"the driver ended without saying {wanted}")

    def read_to_end(self) -> list[dict[str, Any]]:
        return list(iter(self.read, None))

    def hand_over(self) -> None:
        """Forget the driver's end: somebody else has it now."""
        self._has_fd = False

    def close_fd(self) -> None:
        """Close the driver's end in this process, after a program has inherited it."""
        if self._has_fd:
            os.close(self.fd)
            self._has_fd = False

    def close(self) -> None:
        self.close_fd()
        self._lines.close()
        self._mine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.fixture(autouse=True)
def _no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run drivers outside a job, whatever the environment of the tests is."""
    for name in list(os.environ):
        if name.startswith(("NVIDIA_CLARA_", "CLARA_")) and name not in _KEPT:
            monkeypatch.delenv(name)


@pytest.fixture
def runner_end() -> Iterator[RunnerEnd]:
    """A runner whose driver is a separate program."""
    with RunnerEnd() as end:
        yield end


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunnerEnd]:
    """A runner for the next driver that this process starts; it must end within the test."""
    with RunnerEnd() as end:
        for name, value in end.environment.items():
            monkeypatch.setenv(name, value)
        # A test that fails early leaves a driver without a runner in this very process.
        monkeypatch.setenv("CLARA_FASTIO_GRACE", "100000")
        end.hand_over()
        yield end


@pytest.fixture
def job(context_name, run_program) -> Iterator[Job]:
    """A context that this process hosts, and operators in programs of their own."""
    from clara_fastio import create_context

    job = Job(create_context(context_name), run_program)
    yield job
    job.close()


@pytest.fixture
def alone(monkeypatch, run_driver) -> Callable[..., Any]:
    """Run a function as the execute handler of a lone driver; its outputs are the arguments."""

    def run(function: Callable[[Any], Any], *outputs: dict[str, Any]) -> Any:
        monkeypatch.setenv("CLARA_FASTIO_OUTPUTS", json.dumps(outputs))
        found = []
        driver = run_driver(execute=lambda _, payload: found.append(function(payload)))
        if driver.error is not None:
            raise driver.error.__cause__ or driver.error
        return found[0]

    return run


@pytest.fixture
def run_driver() -> Callable[..., Driver]:
    """Take a driver from start to end; the arguments are those of its constructor."""

    def run(*arguments: Any, **options: Any) -> Driver:
        driver = Driver(*arguments, **options)
        driver.start()
        driver.wait_for_completion()
        return driver

    return run
