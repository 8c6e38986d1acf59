# SPDX-License-Identifier: Apache-2.0
"""A real server, started as a program of its own, and a way to call it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from clara_fastio.platform.wire.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Wire:
    """Calls rpcs by name: ``wire.Jobs.Status(request)``; streams come back as lists."""

    def __init__(self, channel: grpc.Channel, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        self.channel = channel
        self._metadata = metadata

    def __getattr__(self, service: str) -> Any:
        return _Service(self.channel, service, self._metadata)


class _Service:
    def __init__(self, channel: grpc.Channel, name: str, metadata: Any) -> None:
        self._channel, self._name, self._metadata = channel, name, metadata

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = METHODS[self._name][name]
        kind = f"{'stream' if method.takes_stream else 'unary'}_"
        kind += "stream" if method.gives_stream else "unary"
        call = getattr(self._channel, kind)(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.response.FromString,
        )

        def invoke(request: Any = None, timeout: float = 30) -> Any:
            given = method.request() if request is None else request
            if method.takes_stream and isinstance(given, (list, tuple)):
                given = iter(given)
            answer = call(given, timeout=timeout, metadata=self._metadata)
            return list(answer) if method.gives_stream else answer

        return invoke


class ServerProgram:
    """``clara serve`` as a process of its own."""

    def __init__(
        self, root: Path, *options: str, environment: dict[str, str] | None = None
    ) -> None:
        self.root = root
        command = [sys.executable, "-m", "clara_fastio.cli", "serve", "--root", str(root)]
        self.process = subprocess.Popen(
            [*command, "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            _, errors = self.process.communicate(timeout=20)
            raise RuntimeError(f"the server said {line!r} and {errors!r}")
        self.address = line.removeprefix("listening on ").split()[0]

    @property
    def pid(self) -> int:
        return self.process.pid

    def connect(self) -> grpc.Channel:
        return grpc.insecure_channel(self.address)

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self.process.kill()
        self.process.communicate()

    def stop(self, timeout: float = 20) -> str:
        """Let it drain; gives what it wrote to standard error."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            _, errors = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        return errors


@pytest.fixture
def serve(tmp_path) -> Iterator[Callable[..., ServerProgram]]:
    """Start servers; `root` is in the test's folder unless it is given."""
    with contextlib.ExitStack() as stack:

        def start(*options: str, root: Path | None = None, **settings: Any) -> ServerProgram:
            program = ServerProgram(root or tmp_path / "root", *options, **settings)
            stack.callback(program.stop)
            return program

        yield start


@pytest.fixture
def server(serve) -> ServerProgram:
    """Start a server that runs any command."""
    return serve("--allow-any-command")


@pytest.fixture
def wire(server) -> Iterator[Wire]:
    """Call the server."""
    with server.connect() as channel:
        yield Wire(channel)
