# SPDX-License-Identifier: Apache-2.0
"""Contexts of shared memory: those that are there, and one that is made to be tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clara_fastio.doctor.finding import format_bytes, ok, problem
from clara_fastio.doctor.processes import ProgramError, ask_child

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clara_fastio.doctor.finding import Finding

_TIMEOUT = 50.0


def hosted() -> Iterator[Finding]:
    """Name the contexts that this user's processes host now."""
    import clara_fastio

    names = clara_fastio.list_contexts()
    found = f"{len(names)}: {', '.join(names)}" if names else "none of yours"
    yield ok("hosted contexts", found, names=names)


def round_trip() -> Iterator[Finding]:
    """Have one process host a context and write, and another open it and read."""
    name = "round trip"
    try:
        answer = ask_child("write", timeout=_TIMEOUT)
    except ProgramError as error:
        answer = {"error": "ProgramError", "text": f"the process that hosts failed: {error}"}
    peer = answer.get("peer", {})
    failed = answer if "error" in answer else peer
    if "error" in failed:
        found = f"{failed['error']}: {failed['text']}"
    elif not peer["equal"]:
        found = "the second process read something else than the first one wrote"
    else:
        size = format_bytes(peer["nbytes"])
        yield ok(name, f"{size} written by one process and read by another", nbytes=peer["nbytes"])
        return
    yield problem(
        name,
        found,
        wanted="one process hosts a context and writes, another opens it and reads",
        fix="mend what the message names, or what is found above; in a sandbox, permit "
        "memfd_create, pidfd_open, sockets of the kind AF_UNIX and futexes in shared memory",
        error=failed.get("error"),
    )
