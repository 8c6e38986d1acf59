# SPDX-License-Identifier: Apache-2.0
"""The examination: every check, one after the other, none of which can end it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from clara_fastio.doctor import (
    contexts,
    devices,
    limits,
    memory,
    operators,
    software,
    surroundings,
)
from clara_fastio.doctor.finding import Finding, State, problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Check = Callable[[], Iterator[Finding]]

#: What is examined, in this order.
SECTIONS: Final[dict[str, tuple[Check, ...]]] = {
    "Software": (
        software.python,
        software.package,
        software.core_library,
        software.kernel,
        software.sealed_memory,
        software.memory_without_execution,
    ),
    "Limits": (limits.open_files, limits.locked_memory, limits.memory_maps),
    "Memory": (memory.available, memory.group_limits, memory.huge_pages),
    "Contexts": (contexts.hosted, contexts.round_trip),
    "Operators": (
        operators.declared_paths,
        operators.user_namespaces,
        operators.podman,
        operators.docker,
    ),
    "Surroundings": (surroundings.container, surroundings.process_namespace),
    "Devices": (devices.settings, devices.driver_and_devices),
}


def examine(sections: dict[str, tuple[Check, ...]] | None = None) -> Iterator[Finding]:
    """Examine this machine.

    Parameters
    ----------
    sections
        Checks by section; all there are by default.

    Yields
    ------
    Finding
        As soon as it is there; those of a section follow each other.

    Notes
    -----
    Takes a few seconds, most of them for each device. Starts processes, each of which has a limit
    of time; changes nothing. An exception in a check becomes a finding.
    """
    for section, checks in (SECTIONS if sections is None else sections).items():
        for check in checks:
            for finding in _guarded(check):
                yield dataclasses.replace(finding, section=section)


def has_problem(findings: Iterable[Finding]) -> bool:
    """Say whether anything that is there, or always needed, does not work."""
    return any(finding.state == State.PROBLEM for finding in findings)


def _guarded(check: Check) -> Iterator[Finding]:
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 - one check must not keep the others from running.
        yield problem(
            check.__name__.replace("_", " "),
            f"the check itself failed: {type(error).__name__}: {error}",
            wanted="an answer",
            fix="if the message does not explain it, report it as a mistake of this library",
            error=type(error).__name__,
        )
