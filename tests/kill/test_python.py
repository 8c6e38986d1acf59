# SPDX-License-Identifier: Apache-2.0
"""Python programs that are killed at any moment."""

from __future__ import annotations

import os
import random
import select
import signal
import time

from tests.kill.arena import PROGRAMS
from tests.kill.doomed import Death

#: Starting Python takes as long as killing ten C++ programs.
SHARE = 5


def test_survivors_go_on_after_the_random_death_of_a_python_program(
    arena, run_program, random_rounds
):
    for _ in range(random_rounds // SHARE + 1):
        program = run_program(PROGRAMS / "victim.py", arena.name)
        program.expect("ready")
        time.sleep(random.uniform(0, 0.05))
        pidfd = os.pidfd_open(program.pid)
        program.signal(signal.SIGKILL)
        select.select([pidfd], [], [])
        now = time.monotonic()
        os.close(pidfd)
        assert program.wait() == -signal.SIGKILL, program.errors
        death = Death(program.pid, now, -signal.SIGKILL, was_critical=False)
        arena.recover("random: Python", [death])
