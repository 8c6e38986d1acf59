# SPDX-License-Identifier: Apache-2.0
"""The program behind the trials: it does one thing and prints one line, an object of JSON.

It is started by `processes.ask_child`, so that a driver that hangs or crashes takes only this
program with it.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import signal
import sys
from typing import TYPE_CHECKING, Any

import clara_fastio
from clara_fastio.doctor.processes import ProgramError, ask_child

if TYPE_CHECKING:
    from collections.abc import Callable

    from clara_fastio import Context, Variable

#: Seconds after which this program ends, even when the one that started it was killed.
LIFE = 60

#: Seconds for the second process of a trial, and for the wait for a lock.
_PEER = 30
_WAIT = 5

_NAME = "trial"
_SHAPE = (64, 64)


def capabilities() -> dict[str, Any]:
    """Tell what the driver can do."""
    return dataclasses.asdict(clara_fastio.capabilities())


def cupy() -> dict[str, Any]:
    """Import cupy and tell which runtime it brings."""
    import cupy  # type: ignore[import-not-found, unused-ignore] # Only some have it installed.

    return {"version": cupy.__version__, "runtime": cupy.cuda.runtime.runtimeGetVersion()}


def write(device: str = "") -> dict[str, Any]:
    """Host a context, write a variable of host memory or of a device, and have it read."""
    # Whoever lists contexts meanwhile sees what it is.
    name = f"clara-doctor-{secrets.token_hex(8)}"
    with clara_fastio.create_context(name, capacity=64) as context:
        variable = _declare(context, device)
        variable.allocate()
        mapping = variable.map("w", timeout=_WAIT)
        if not device:
            mapping.array[...] = _pattern()
        mapping.commit()
        mapping.close()
        answer = {"own": dataclasses.asdict(variable.transport)} if device else {}
        try:
            return answer | {"peer": ask_child("read", context.name, device, timeout=_PEER)}
        except ProgramError as error:
            return answer | {"peer": {"error": "ProgramError", "text": str(error)}}


def read(name: str, device: str) -> dict[str, Any]:
    """Open a context that another process hosts, and read the variable."""
    with clara_fastio.open_context(name) as context:
        variable = context[_NAME]
        mapping = variable.map("r", timeout=_WAIT)
        try:
            if device:
                transport = dataclasses.asdict(variable.transport)
                return {"transport": transport, "nbytes": mapping.nbytes}
            return {"equal": bool((mapping.array == _pattern()).all()), "nbytes": mapping.nbytes}
        finally:
            mapping.close()


def _declare(context: Context, device: str) -> Variable:
    if not device:
        return context.variable(_NAME, shape=_SHAPE)
    return context.variable(_NAME, shape=_SHAPE, memory="device", device=device)


def _pattern() -> Any:
    import numpy as np

    return np.arange(_SHAPE[0] * _SHAPE[1], dtype="uint64").reshape(_SHAPE).astype("uint8")


_TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    "capabilities": capabilities,
    "cupy": cupy,
    "write": write,
    "read": read,
}


def main() -> None:
    """Run as a program."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(LIFE)
    task, *arguments = sys.argv[1:]
    try:
        answer = _TASKS[task](*arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what was to be found out.
        answer = {"error": type(error).__name__, "text": str(error)}
    print(json.dumps(answer), flush=True)  # noqa: T201 - a program of its own.


if __name__ == "__main__":
    main()
