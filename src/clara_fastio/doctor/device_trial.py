# SPDX-License-Identifier: Apache-2.0
"""Memory of a device, made by one process and mapped by another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clara_fastio.devices import DeviceInfo, Transport
from clara_fastio.doctor.finding import absent, ok, problem, warning
from clara_fastio.doctor.processes import ProgramError, ask_child

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clara_fastio.doctor.finding import Finding

_TIMEOUT = 58.0
_TRANSPORT = "CLARA_FASTIO_CUDA_TRANSPORT"

#: What to do, by the class of the error.
_FIXES = {
    "DeviceIpcUnavailableError": "the message names each way with its reason; in containers, let "
    "both reach the host's socket, and give their first processes different numbers (--init); "
    'fallback="host" copies where nothing else works',
    "DeviceNotFoundError": "let both processes see the device: the same CUDA_VISIBLE_DEVICES, "
    "the same GPUs in both containers",
    "OutOfMemoryError": "free memory of the device: 64 MiB are taken for small arrays",
    "ProgramError": "look for the fault in the kernel's log (dmesg, 'NVRM'), or try a newer driver",
}
_OTHER_FIX = "mend what the message names, or declare variables with memory='host'"


def trials(device: DeviceInfo) -> Iterator[Finding]:
    """Share memory of a device in the way that is chosen by itself, and by legacy handles."""
    name = f"device {device.ordinal} between processes"
    yield judge_default(name, _try(device, {}))
    name += ", legacy"
    refusal = device.transports["legacy"]
    if refusal:
        yield absent(
            name,
            f"not tried: {refusal}",
            wanted="legacy handles, where 'vmm' does not work only",
            fix="nothing, as long as 'vmm' works",
        )
    else:
        yield judge_legacy(name, _try(device, {_TRANSPORT: "legacy"}))


def judge_default(name: str, answer: dict[str, Any]) -> Finding:
    """Say what follows from what the two processes told."""
    failed = _failure(answer)
    if failed:
        found, fix, details = failed
        return problem(name, found, wanted="a second process maps the memory", fix=fix, **details)
    transport = Transport(**answer["peer"]["transport"])
    found, details = _describe(transport), answer["peer"]
    if transport.memory == "vmm" and transport.order == "timeline" and transport.read_only:
        return ok(name, found, **details)
    return warning(
        name,
        found,
        wanted="vmm, ordered by timeline, read-only for readers",
        fix="see the fixes for sharing, ordering and read-only maps of this device, and unset "
        "CLARA_FASTIO_CUDA_TRANSPORT and CLARA_FASTIO_CUDA_SYNC; it works as it is",
        **details,
    )


def judge_legacy(name: str, answer: dict[str, Any]) -> Finding:
    """Say what follows from what the two processes told, of which nothing is needed as a rule."""
    failed = _failure(answer)
    if failed:
        found, fix, details = failed
        return warning(
            name,
            found,
            wanted="legacy handles, where 'vmm' does not work only",
            fix=fix,
            **details,
        )
    # Why nothing better was taken is known: it was asked for.
    transport = replace(Transport(**answer["peer"]["transport"]), memory_reason="")
    return ok(name, _describe(transport), **answer["peer"])


def _try(device: DeviceInfo, environment: dict[str, str]) -> dict[str, Any]:
    try:
        return ask_child("write", device.uuid, timeout=_TIMEOUT, environment=environment)
    except ProgramError as error:
        return {"error": "ProgramError", "text": f"the process that makes the memory: {error}"}


def _failure(answer: dict[str, Any]) -> tuple[str, str, dict[str, Any]] | None:
    """Give what was found, what to do, and values; ``None`` when both processes succeeded."""
    peer = answer.get("peer", {})
    failed, who = (answer, "first") if "error" in answer else (peer, "second")
    if "error" not in failed:
        return None
    kind = failed["error"]
    found = f"the {who} process failed: {kind}: {failed['text']}"
    return found, _FIXES.get(kind, _OTHER_FIX), {"error": kind, **answer}


def _describe(transport: Transport) -> str:
    kept = "read-only by the device" if transport.read_only else "not kept from writing"
    text = f"{transport.memory}, ordered by {transport.order}, {kept}"
    reasons = [reason for reason in (transport.memory_reason, transport.order_reason) if reason]
    return f"{text} ({'; '.join(reasons)})" if reasons else text
