# SPDX-License-Identifier: Apache-2.0
"""Starts a chain of processes and hands orders on. Usage: python -m bench.frames.supervise PLAN

The first line of its output says which processes there are and in which versions, or why there are
none. Then each line ``CASE-NBYTES STEPS`` of its input is answered with the cost as JSON.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from typing import TYPE_CHECKING

from bench.frames import chain, peer
from bench.frames.plan import Plan
from bench.harness.workers import BUILD

if TYPE_CHECKING:
    from bench.frames.chain import Chain


def main() -> None:
    """Take orders until the input ends."""
    plan = Plan.from_json(sys.argv[1])
    # What a peer prints must not get among the answers.
    answers = os.fdopen(os.dup(1), "w")
    log = os.open(BUILD / f"peer-{plan.peer}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)

    def say(**values: object) -> None:
        answers.write(json.dumps(values) + "\n")
        answers.flush()

    os.sched_setaffinity(0, set(plan.cpus))
    try:
        module = peer.load(plan.peer)
        versions = {name: importlib.metadata.version(name) for name in module.PACKAGES}
        start = getattr(module, "chain", chain.spawned)
        with start(plan) as made:
            made.wait_until_ready()
            warm_up(made, plan)
            say(pids=made.pids, versions=versions)
            for line in sys.stdin:
                case, _, rest = line.partition("-")
                nbytes, steps = map(int, rest.split())
                say(**made.run(case, nbytes, steps)._asdict())
            made.finish()
    except importlib.metadata.PackageNotFoundError as error:
        say(absent=f"{error.name} is not installed")
    except ModuleNotFoundError as error:
        say(absent=f"{error.name} is not installed")
    except Exception as error:
        say(absent=str(error).splitlines()[-1] if str(error) else repr(error))
        raise


def warm_up(made: Chain, plan: Plan) -> None:
    """Bring every page of every slot into the processes that use it."""
    for nbytes in plan.sizes:
        made.run("touch", nbytes, 3 * plan.depth)


if __name__ == "__main__":
    main()
    # Threads and exit handlers of a peer whose daemons are gone would only be in the way.
    os._exit(0)
