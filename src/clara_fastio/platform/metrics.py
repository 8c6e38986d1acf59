# SPDX-License-Identifier: Apache-2.0
"""What the server counts, for Prometheus."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from clara_fastio.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from prometheus_client.core import Metric

    from clara_fastio.platform.wire.codes import Code
    from clara_fastio.platform.wire.methods import Method

_CALL_SECONDS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 600.0)
_JOB_SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 7200.0)


@dataclass(frozen=True)
class Snapshot:
    """How things stand: numbers of running jobs and of queued ones by priority, and what is used.

    `memory` and `payloads` are bytes: in the contexts of running jobs, and in payloads on disk.
    """

    running: int = 0
    queued: Mapping[str, int] = field(default_factory=dict)
    operators: Mapping[str, int] = field(default_factory=dict)
    memory: int = 0
    payloads: int = 0


class Metrics:
    """Counters of one server, and the page that shows them.

    Thread safety: all members from any thread.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = Counter(
            "clara_calls", "Calls answered.", ("service", "method", "code"), registry=self.registry
        )
        self._call_seconds = Histogram(
            "clara_call_seconds",
            "Seconds from a call to the end of its answer.",
            ("service", "method"),
            buckets=_CALL_SECONDS,
            registry=self.registry,
        )
        self._jobs = Counter(
            "clara_jobs", "Jobs that have stopped.", ("status",), registry=self.registry
        )
        self._job_seconds = Histogram(
            "clara_job_seconds",
            "Seconds that a job ran.",
            ("status",),
            buckets=_JOB_SECONDS,
            registry=self.registry,
        )
        self._edge_bytes = Counter(
            "clara_edge_bytes",
            "Bytes that operators have handed on.",
            ("medium",),
            registry=self.registry,
        )
        self._frames = Counter(
            "clara_frames",
            "Frames of streams, by what became of them at an edge.",
            ("fate",),
            registry=self.registry,
        )

    def observe_call(self, method: Method, code: Code, seconds: float) -> None:
        """Count an answered call."""
        self._calls.labels(method.service, method.name, code.name).inc()
        self._call_seconds.labels(method.service, method.name).observe(seconds)

    def observe_job(
        self, status: str, seconds: float, edges: Mapping[str, int], frames: Mapping[str, int]
    ) -> None:
        """Count a job that has stopped; `edges` are bytes by medium, `frames` those of streams."""
        self._jobs.labels(status).inc()
        self._job_seconds.labels(status).observe(seconds)
        for medium, nbytes in edges.items():
            self._edge_bytes.labels(medium).inc(nbytes)
        for fate, count in frames.items():
            self._frames.labels(fate).inc(count)

    def watch(self, snapshot: Callable[[], Snapshot]) -> None:
        """Ask `snapshot` each time that somebody looks; it is called in another thread."""
        self.registry.register(_Gauges(snapshot))

    def serve(self, host: str, port: int) -> tuple[int, Callable[[], None]]:
        """Show the metrics at ``http://host:port/metrics``.

        Returns
        -------
        tuple of int and callable
            The port, and what ends it.

        Raises
        ------
        UnavailableError
            The address is taken.
        """
        try:
            server, thread = start_http_server(port, host.strip("[]"), self.registry)
        except OSError as error:
            raise UnavailableError(
                f"the metrics cannot be served on {host}:{port}: {error.strerror}"
            ) from error

        def close() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return server.server_port, close


class _Gauges(Collector):
    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def describe(self) -> Iterable[Metric]:
        """Keep the registry from asking before there is anything."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Look how things stand."""
        now = self._snapshot()
        yield GaugeMetricFamily("clara_jobs_running", "Jobs that run.", now.running)
        queued = GaugeMetricFamily("clara_jobs_queued", "Jobs that wait.", labels=("priority",))
        for priority, count in now.queued.items():
            queued.add_metric((priority,), count)
        yield queued
        states = GaugeMetricFamily(
            "clara_operators", "Operators of running jobs.", labels=("status",)
        )
        for status, count in now.operators.items():
            states.add_metric((status,), count)
        yield states
        yield GaugeMetricFamily(
            "clara_memory_bytes", "Shared memory that running jobs hold.", now.memory
        )
        yield GaugeMetricFamily("clara_payload_bytes", "Payloads on the disk.", now.payloads)
