# SPDX-License-Identifier: Apache-2.0
"""A context with device memory, and processes that work on it while others are killed."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from tests.helpers.processes import KILL_POINT_LIBRARY
from tests.kill.doomed import PATIENCE, Doomed
from tests.kill.tally import LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.kill.doomed import Death
    from tests.kill.tally import Tally

FAKE_DRIVER = KILL_POINT_LIBRARY / "libfake_cuda.so"
PREFIXES = ("/memfd:clara-fastio", "/memfd:fake-cuda")

DEVICE_MEMORY = ("/memfd:fake-cuda", "/memfd:fake-cuda-event")
#: Stages and events that survivors may make for themselves after the others have come.
MOST_OWN = 40

#: Of each kernel, in nanoseconds.
SHORT = 500_000
#: Longer than anybody waits: such work is done by nobody.
FOR_EVER = 300_000_000_000

MANY = 1_000_000


class Way(NamedTuple):
    """How device memory is shared, and how the work on it is ordered."""

    transport: str
    order: str

    def environment(self, **more: str) -> dict[str, str]:
        """Give what a process needs to go this way."""
        return {
            "CLARA_FASTIO_CUDA_DRIVER": str(FAKE_DRIVER),
            "CLARA_FASTIO_CUDA_TRANSPORT": self.transport,
            "CLARA_FASTIO_CUDA_SYNC": self.order,
            **more,
        }

    def __str__(self) -> str:
        return f"{self.transport}-{self.order}"


WAYS = [
    Way(*both)
    for both in itertools.product(("vmm", "legacy", "host"), ("timeline", "events", "synchronize"))
]


#: With the order of events, streams that wait for a process that dies are not set going again:
#: `docs/design/device_memory.md` says so.
SETTLED = [one for one in WAYS if one.order != "events"]


def way(number: int, *, is_shared: bool = False) -> Way:
    """Choose one in turn, of all where deaths are settled or of those that share device memory."""
    ways = [one for one in SETTLED if not is_shared or one.transport != "host"]
    return ways[number % len(ways)]


def held_by(pids: Iterable[int]) -> Counter[tuple[int, str]]:
    """Count the memory, of hosts and of devices, that processes have open or mapped."""
    held: Counter[tuple[int, str]] = Counter()
    for pid in pids:
        process = Path("/proc", str(pid))
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # Closed meanwhile.
                held[pid, str(descriptor.readlink())] += 1
        for line in (process / "maps").read_text(errors="replace").splitlines():
            held[pid, line.split(maxsplit=5)[-1]] += 1
    return Counter({one: count for one, count in held.items() if one[1].startswith(PREFIXES)})


class Watched(contextlib.ExitStack):
    """A host, and somebody who tells who is in its context."""

    def __init__(self, name: str, tally: Tally, chosen: Way) -> None:
        super().__init__()
        self.name = name
        self.way = chosen
        self._tally = tally
        self._dead: set[int] = set()
        self.survivors: list[Doomed] = []

    def __enter__(self) -> Self:
        super().__enter__()
        with contextlib.ExitStack() as stack:  # What was started when something fails.
            self.host = stack.enter_context(Doomed("host", self.name))
            assert self.host.wait_until_ready(), self.host.errors
            self._watch = stack.enter_context(self.begin("device", "watch", "{state}", 0, 0))
            assert self._watch.wait_until_ready(), self._watch.errors
            self.push(stack.pop_all())
        self._before = held_by(self.living())
        return self

    def begin(self, program: str, *arguments: object, kill_point: str | None = None) -> Doomed:
        """Start a program that works in the context."""
        return Doomed(
            program,
            self.name,
            *arguments,
            kill_point=kill_point,
            environment=self.way.environment(),
        )

    def living(self) -> list[int]:
        """Give the processes whose memory is counted."""
        return [one.pid for one in (self.host, self._watch, *self.survivors)]

    def free(self, name: str) -> None:
        """Free an entry, if there is one of that name."""
        self._watch.ask(f"free {name}")

    def wait_for_repair(self, *deaths: Death) -> None:
        """Wait until the host has repaired what the dead left."""
        dead = {death.pid for death in deaths}
        self._dead |= dead
        while dead & {int(pid) for pid in self._watch.ask("pids").split()}:
            since = max(death.time for death in deaths)
            assert time.monotonic() - since < LIMIT, "the host did not repair"
            time.sleep(0.001)

    def count(self, where: str, death: Death, *, until: float, critical: bool = False) -> None:
        """Count a death after which all had gone on at some time.

        How soon the host repaired is limited; how soon the others have then done their passes is
        the speed of their kernels.
        """
        inside = critical or death.was_critical
        self._tally.count(where, critical=inside, recovery=until - death.time)

    def finish(self) -> None:
        """See that nobody holds what the dead had made, then let those end who are left."""
        deadline = time.monotonic() + 5
        while left := self._still_held():
            assert time.monotonic() < deadline, f"still held: {left}"
            time.sleep(0.01)
        for one in (*self.survivors, self._watch, self.host):
            assert one.finish() == 0, one.errors

    def _still_held(self) -> Counter[tuple[int, str]]:
        """Find memory of the dead, or more of the living than they need."""
        held = held_by(self.living())
        dead = tuple(f"{kind}:{pid}:" for kind in DEVICE_MEMORY for pid in self._dead)
        of_dead = {one: count for one, count in held.items() if one[1].startswith(dead)}
        if of_dead:
            return Counter(of_dead)
        for kind, more in ((PREFIXES[0], 0), (PREFIXES[1], MOST_OWN)):
            before = sum(count for one, count in self._before.items() if one[1].startswith(kind))
            now = Counter({one: count for one, count in held.items() if one[1].startswith(kind)})
            if now.total() > before + more:
                return now - self._before
        return Counter()


class DeviceArena(Watched):
    """Beside the host, somebody who writes the board and somebody who reads all that there is.

    ``board`` is an allocation on the device, which everybody may write; ``volume`` is a variable,
    which victims produce, one after another.
    """

    def __enter__(self) -> Self:
        super().__enter__()
        for role in ("keeper", "reader"):
            survivor = self.enter_context(self.victim(role))
            assert survivor.wait_until_ready(), survivor.errors
            self.survivors.append(survivor)
        self._wait_for_passes([0, 0], time.monotonic() + PATIENCE)
        self._before = held_by(self.living())
        return self

    def victim(
        self, role: str, *, passes: int = MANY, ns: int = SHORT, kill_point: str | None = None
    ) -> Doomed:
        """Start a process that works in one role."""
        return self.begin("device", role, "{state}", passes, ns, kill_point=kill_point)

    def recover(self, where: str, death: Death, *, critical: bool = False) -> None:
        """See that everybody else goes on after a death, and count it."""
        passes = [one.passes for one in self.survivors]
        self.wait_for_repair(death)
        self._wait_for_passes(passes, death.time + PATIENCE)
        self.count(where, death, until=time.monotonic(), critical=critical)

    def produce_anew(self) -> None:
        """See that another process can produce what a dead one did."""
        with self.victim("producer", passes=4) as producer:
            death = producer.wait_for_death()
            assert death.status == 0, f"status {death.status}: {producer.errors}"

    def finish(self) -> None:
        """Free what others made; then nobody may hold more than before they came."""
        for name in ("volume", *(f"device-{pid}-{i}" for pid in self._dead for i in range(3))):
            self.free(name)
        super().finish()

    def _wait_for_passes(self, before: list[int], deadline: float) -> None:
        """Wait until every survivor has twice seen the end of all that it gave to the device."""
        while any(
            one.passes < passes + 2 for one, passes in zip(self.survivors, before, strict=True)
        ):
            for one in self.survivors:
                assert not one.has_ended(), one.errors
            assert time.monotonic() < deadline, "a survivor waits for ever"
            time.sleep(0.001)
