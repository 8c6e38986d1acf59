# SPDX-License-Identifier: Apache-2.0
"""A context that this process hosts, and processes that live on while others are killed."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.helpers import leaks

if TYPE_CHECKING:
    import clara_fastio as fastio
    from tests.conftest import RunProgram
    from tests.helpers.processes import Program
    from tests.kill.doomed import Death, Doomed
    from tests.kill.tally import Tally

PROGRAMS = Path(__file__).parent / "programs"
BOARD_WORDS = 65_536
PERMANENT = {"board", "held", "steady"}

#: All tests of a run together may take hours: `make kill` sets no limit for one of them.
PATIENCE = 100_000


class Talker:
    """A program that answers each command in JSON."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.pid = program.pid
        self._answer()

    def tell(self, do: str, **arguments: Any) -> None:
        """Send a command; its answer is awaited by `answer`."""
        self._program.send(json.dumps({"do": do, **arguments}))

    def answer(self) -> dict[str, Any]:
        """Wait for the answer; an error there is one here."""
        return self._answer()

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self.tell(do, **arguments)
        return self._answer()

    def finish(self) -> None:
        """Let it close what it has and end well."""
        self.ask("close")
        self._program.finish()

    def _answer(self) -> dict[str, Any]:
        line = self._program.read_line()
        answer = json.loads(line) if line else {"error": self._program.errors}
        if "error" in answer:
            raise AssertionError(f"in process {self._program.pid}:\n{answer['error']}")
        return answer


class Arena:
    """Three processes that go on: the host, which is this one, a writer and a reader.

    ``board`` and ``held`` are allocations, which everybody may write; ``steady`` is a variable of
    the writer. The writer and the reader contend for ``board`` all the time.
    """

    def __init__(self, context: fastio.Context, run_program: RunProgram, tally: Tally) -> None:
        self.name = context.name
        self._tally = tally
        self._context = context
        for entry in ("board", "held"):
            block = self._context.create(BOARD_WORDS * 8)
            block.set_type_and_dimensions("uint64", (BOARD_WORDS,))
            with block.map("w") as array:
                array[...] = 0
            block.publish(entry)
        self._segments = leaks.held_by_this_run()
        self.held = self._context["held"]
        survivor = PROGRAMS / "survivor.py"
        self._survivors = [
            Talker(run_program(survivor, self.name, mode, timeout=PATIENCE)) for mode in ("w", "r")
        ]
        self._take_stock([])

    def kill(self, where: str, *victims: Doomed, critical: bool = False) -> None:
        """Wait for the deaths of all victims, then see that everybody else goes on.

        Parameters
        ----------
        where
            What they are counted as.
        victims
            Processes that were killed, or are about to be.
        critical
            Whether that was inside a critical section; else what they held is asked.
        """
        deaths = [victim.wait_for_death() for victim in victims]
        for victim, death in zip(victims, deaths, strict=True):
            assert death.was_killed, f"{where}: status {death.status}: {victim.errors}"
        self.recover(where, deaths, critical=critical)

    def recover(self, where: str, deaths: list[Death], *, critical: bool = False) -> None:
        """See that everybody else goes on after these deaths, and count them."""
        recovery, torn = self._take_stock(deaths)
        for death in deaths:
            inside = critical or death.was_critical
            self._tally.count(where, critical=inside, recovery=recovery, torn=torn)
            torn = 0
        alive = {process.pid for process in self._context.processes()}
        assert not alive & {death.pid for death in deaths}
        assert set(self._context) == PERMANENT

    def close(self) -> None:
        """End the survivors; then the host must hold no more than it did before they came."""
        for survivor in self._survivors:
            survivor.finish()
        self._context["steady"].free()
        self.held.release()
        left = leaks.wait_until_given_back(self._segments)
        assert not left, f"what the killed had is still held: {left}"
        del self._context, self.held  # The test's arguments outlive its fixtures.

    def _take_stock(self, deaths: list[Death]) -> tuple[float, int]:
        """Ask all survivors; return the seconds they took and the contents that were torn."""
        since = max((death.time for death in deaths), default=time.monotonic())
        for survivor in self._survivors:
            survivor.tell("check", dead=[death.pid for death in deaths], since=since)
        answers = [survivor.answer() for survivor in self._survivors]
        return max(one["recovery"] for one in answers), answers[0]["torn"]
