# SPDX-License-Identifier: Apache-2.0
"""A context with operators around it, as a runner makes them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from clara_fastio import Queue

if TYPE_CHECKING:
    from clara_fastio import Context
    from tests.conftest import RunProgram
    from tests.driver.conftest import RunnerEnd
    from tests.helpers.processes import Program

PREAMBLE = """
import sys
import numpy as np
import clara_fastio as fastio
from clara_fastio import errors
from clara_fastio.driver import Driver

def refused(error, function, *arguments):
    try:
        function(*arguments)
    except error as found:
        assert type(found) is error, found
        return True
    raise AssertionError(f"{error.__name__} was not raised")

def run(execute, **handlers):
    driver = Driver(execute_handler=execute, **handlers)
    driver.start()
    driver.wait_for_completion()
    sys.exit(0 if driver.succeeded else 3)
"""


def declare(
    name: str, element_type: str, shape: list[int], variable: str = "", **stream: Any
) -> dict[str, Any]:
    """Describe a typed entry as a runner does; `stream` is its `queue` or its `edge`."""
    return {
        "name": name,
        "variable": variable or f"operator/{name}",
        "element_type": element_type,
        "shape": shape,
        "type": "array",
        **stream,
    }


class Job:
    """The context of a job, hosted by the test, and the operators it starts."""

    def __init__(self, context: Context, run_program: RunProgram) -> None:
        self.context = context
        self._run_program = run_program

    def close(self) -> None:
        """End the context and forget it: its tables are mapped as long as anybody knows it."""
        self.context.close()
        del self.context

    def declare(self, entry: dict[str, Any], producer: str | None = None) -> Any:
        """Declare the variable of an entry."""
        shape = tuple(entry["shape"])
        queue = Queue(**entry["queue"]) if "queue" in entry else None
        return self.context.declare(
            entry["variable"], shape, entry["element_type"], producer=producer, queue=queue
        )

    def start(
        self,
        role: str,
        source: str,
        inputs: list[dict[str, Any]] | None = None,
        outputs: list[dict[str, Any]] | None = None,
        runner_end: RunnerEnd | None = None,
    ) -> Program:
        """Start an operator; without a runner's end its inputs count as complete."""
        fds = [self.context.connection(role)]
        environment = {
            "CLARA_FASTIO_SOCKET": f"fd:{fds[0]}",
            "CLARA_FASTIO_INPUTS": json.dumps(inputs or []),
            "CLARA_FASTIO_OUTPUTS": json.dumps(outputs or []),
        }
        if runner_end is not None:
            fds.append(runner_end.fd)
            environment |= runner_end.environment
        program = self._run_program(PREAMBLE + source, environment=environment, pass_fds=fds)
        os.close(fds[0])
        if runner_end is not None:
            runner_end.close_fd()
        return program
