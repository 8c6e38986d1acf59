# SPDX-License-Identifier: Apache-2.0
"""iceoryx2: samples of a publish-subscribe service, waited for in its two ways.

``events`` sleeps until the service's event of that name comes; the consumer sends one for each
frame that it gives back, because a publisher whose subscriber is full spins otherwise. ``polling``
does nothing but spin, on both sides; three processes that spin on two processors are not measured.
"""

from __future__ import annotations

import contextlib
import ctypes
import secrets
import time
from typing import TYPE_CHECKING

import iceoryx2
import numpy as np

from bench.frames.plan import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.frames.plan import Plan

PACKAGES = ("iceoryx2",)
IS_PINNED = True

_A_SECOND = iceoryx2.Duration.from_secs(1)
_PAYLOAD = iceoryx2.Slice[ctypes.c_uint8]


class Services:
    """The services of an edge, in one process."""

    def __init__(self, end: tuple[str, int], plan: Plan) -> None:
        iceoryx2.set_log_level(iceoryx2.LogLevel.Error)
        self._name, self.nbytes = end
        self.depth = plan.depth
        self._node = iceoryx2.NodeBuilder.new().create(iceoryx2.ServiceType.Ipc)
        self.frames = (
            self._builder("frames")
            .publish_subscribe(_PAYLOAD)
            .payload_alignment(iceoryx2.Alignment.new(64))
            .enable_safe_overflow(False)
            .subscriber_max_buffer_size(plan.depth)
            .subscriber_max_borrowed_samples(1)
            .history_size(0)
            .max_publishers(1)
            .max_subscribers(1)
            .open_or_create()
        )

    def event(self, name: str) -> iceoryx2.PortFactoryEvent:
        """Open or create an event."""
        return self._builder(name).event().open_or_create()

    def _builder(self, name: str) -> iceoryx2.ServiceBuilder:
        return self._node.service_builder(iceoryx2.ServiceName.new(f"{self._name}/{name}"))


class Publisher:
    """Loans samples and sends them; a publisher whose subscriber is full spins."""

    def __init__(self, services: Services) -> None:
        self._nbytes = services.nbytes
        self._publisher = (
            services.frames.publisher_builder()
            .initial_max_slice_len(services.nbytes)
            .max_loaned_samples(1)
            .backpressure_strategy(iceoryx2.BackpressureStrategy.RetryUntilDelivered)
            .create()
        )

    def next(self) -> np.ndarray:
        """Loan a sample."""
        self._sample = self._publisher.loan_slice_uninit(self._nbytes)
        return _view(self._sample.payload_ptr, self._nbytes)

    def send(self) -> None:
        """Send it."""
        sample, self._sample = self._sample, None
        if sample.assume_init().send() != 1:
            raise RuntimeError("a frame did not reach its subscriber")

    def finish(self) -> None:
        """Send what is too short to be a frame."""
        self._publisher.loan_slice_uninit(1).assume_init().send()


class EventPublisher(Publisher):
    """Sends an event with each sample, and sleeps while too many are in flight."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._filled = services.event("filled").notifier_builder().create()
        self._free = services.event("free").listener_builder().create()
        self._credits = services.depth

    def next(self) -> np.ndarray:
        """Wait until one may be in flight, and loan it."""
        while not self._credits:
            # Frames given back before this side looks are one event with a count.
            self._credits += sum(event.count for event in _wait(self._free))
        self._credits -= 1
        return super().next()

    def send(self) -> None:
        """Send it, and say so."""
        super().send()
        self._filled.notify()

    def finish(self) -> None:
        """Send what is too short to be a frame."""
        super().finish()
        self._filled.notify()


class Subscriber:
    """Takes samples as they come."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._subscriber = services.frames.subscriber_builder().buffer_size(services.depth).create()

    def receive(self) -> np.ndarray | None:
        """Poll until a sample is there."""
        receive = self._subscriber.receive
        while (sample := receive()) is None:
            self.wait()
        self._sample = sample
        nbytes = self._services.nbytes
        if sample.header.number_of_elements != nbytes:
            return None
        return _view(sample.payload_ptr, nbytes)

    def wait(self) -> None:
        """Look again at once."""

    def release(self) -> None:
        """Drop the sample."""
        self._sample.delete()


class EventSubscriber(Subscriber):
    """Sleeps until samples come."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._filled = services.event("filled").listener_builder().create()
        self._free = services.event("free").notifier_builder().create()

    def wait(self) -> None:
        """Sleep until an event comes."""
        _wait(self._filled)

    def release(self) -> None:
        """Drop the sample, and say so."""
        super().release()
        self._free.notify()


@contextlib.contextmanager
def edge(nbytes: int, _plan: Plan) -> Iterator[tuple[tuple[str, int], tuple[str, int]]]:
    """Choose the name of the services; whoever comes first makes them."""
    end = f"bench-{secrets.token_hex(8)}", nbytes
    yield end, end


def sender(end: tuple[str, int], plan: Plan) -> Publisher:
    """Open the services to publish."""
    made = EventPublisher if plan.variant == "events" else Publisher
    return made(Services(end, plan))


def receiver(end: tuple[str, int], plan: Plan) -> Subscriber:
    """Open the services to subscribe."""
    made = EventSubscriber if plan.variant == "events" else Subscriber
    return made(Services(end, plan))


def _wait(listener: iceoryx2.Listener) -> list[iceoryx2.EventActivation]:
    deadline = time.monotonic() + PATIENCE
    # A notification that was collected with an earlier one may wake once more, with nothing.
    while not (events := listener.timed_wait(_A_SECOND)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no event came within {PATIENCE:g} s")
    return events


def _view(address: int, nbytes: int) -> np.ndarray:
    return np.frombuffer((ctypes.c_uint8 * nbytes).from_address(address), np.uint8)
