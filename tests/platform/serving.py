# SPDX-License-Identifier: Apache-2.0
"""A real server, started as a program of its own, and a way to call it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import grpc

from clara_fastio.platform.wire.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.platform.postgresql import PostgreSQL


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

    #: Where all of them keep their records, unless that is their root.
    cluster: PostgreSQL | None = None

    def __init__(
        self, root: Path, *options: str, environment: dict[str, str] | None = None
    ) -> None:
        self.root = root
        if ServerProgram.cluster is not None and "--database" not in options:
            options += ("--database", ServerProgram.cluster.database_of(root))
        self._text = ""
        command = [sys.executable, "-m", "clara_fastio.cli", "serve", "--root", str(root)]
        command += ["--drain", "0"]  # Unless the options say otherwise.
        # Not a pipe, which would stop a server that writes more than anybody reads.
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as the process
        self.process = subprocess.Popen(
            [*command, "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            self.process.communicate(timeout=20)
            raise RuntimeError(f"the server said {line!r} and {self._said()!r}")
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
        self._said()

    def stop(self, timeout: float = 20) -> str:
        """Let it drain; gives what it wrote to standard error."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return self._said()

    def _said(self) -> str:
        if not self._errors.closed:
            self._errors.seek(0)
            self._text = self._errors.read()
            self._errors.close()
        return self._text
