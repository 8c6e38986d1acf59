# SPDX-License-Identifier: Apache-2.0
"""What a bench on a device works with: workers, contexts, turns, and the time that it may take."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any, Self

from bench.harness.sampling import Turns
from bench.harness.workers import CPUS, ROOT, Worker, interpreted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench.harness.sampling import Twin

#: Where `bench.gpu.build` puts the twins in C++.
TWINS = ROOT / "build" / "gpu" / "twins"

GIB, MIB, KIB = 1 << 30, 1 << 20, 1 << 10


class Session:
    """One bench.

    Parameters
    ----------
    seconds
        After that no new round of a table begins.
    is_smoke
        Small sizes and one round: nothing is measured, only executed.
    """

    def __init__(self, seconds: float, *, is_smoke: bool = False) -> None:
        self._seconds = seconds
        self._deadline = 0.0
        self.is_smoke = is_smoke
        self._stack = contextlib.ExitStack()
        self._host: Worker | None = None
        self._contexts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(
        self,
        program: str,
        *arguments: object,
        environment: Mapping[str, str] | None = None,
        pass_fds: Iterable[int] = (),
    ) -> Worker:
        """Start a program of ``bench.gpu.programs``, or the twin in C++ of that name."""
        compiled = TWINS / program
        command = (
            [str(compiled)]
            if program.endswith("_cpp")
            else [sys.executable, "-m", f"bench.gpu.programs.{program}"]
        )
        settings = [f"{name}={value}" for name, value in (environment or {}).items()]
        worker = Worker(["env", *settings, *command], *arguments, pass_fds=pass_fds)
        self._stack.callback(worker.close)
        return worker

    def ready(self, *workers: Worker) -> list[Worker]:
        """Wait until all take orders."""
        for worker in workers:
            worker.wait_until_ready()
        return list(workers)

    def has_twin(self, program: str) -> bool:
        """Whether the twin in C++ was built."""
        return (TWINS / program).exists()

    def context(self) -> str:
        """Have another process host a new context; name it."""
        if self._host is None:
            self._host = Worker(interpreted("host"))
            self._stack.callback(self._host.close)
            self._host.wait_until_ready()
        self._contexts += 1
        self._host.order("add", self._contexts)
        self._host.result()
        return f"bench-{self._host.pid}-{self._contexts}"

    def measure(self, twins: Mapping[str, Twin], *, rounds: int, **settings: Any) -> Turns:
        """Measure twins in turns, as many rounds as there is time for, and at least one."""
        self.begin()
        turns = Turns(twins, **{**settings, **({"steps": 1} if self.is_smoke else {})})
        for _ in range(1 if self.is_smoke else rounds):
            turns.round()
            if time.monotonic() > self._deadline:
                break
        # Counted nowhere here: a table says so by a question mark.
        turns.system_calls = dict.fromkeys(turns.twins)
        return turns

    def begin(self) -> None:
        """Begin another table."""
        self._deadline = time.monotonic() + self._seconds

    def has_time(self) -> bool:
        """Whether a new round may begin."""
        return not self.is_smoke and time.monotonic() < self._deadline


#: The processors of a producer, a consumer, and of whoever else takes part.
PROCESSORS = (*CPUS, CPUS[0])
