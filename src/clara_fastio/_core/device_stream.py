# SPDX-License-Identifier: Apache-2.0
"""CUDA streams as other libraries have them, taken by their handle."""

from __future__ import annotations

import sys
from typing import Any

#: Where libraries keep the handle of a stream: cupy, torch, numba and cuda.core.
_ATTRIBUTES = ("ptr", "cuda_stream", "handle")
_LARGEST = 2**64 - 1


def handle_of(stream: Any) -> int:
    """Give the handle of a stream.

    Parameters
    ----------
    stream
        None for cupy's current stream, or the legacy default stream where cupy is not in use; a
        handle as an int; or a stream of cupy, torch, numba, cuda.core, or anything with
        ``__cuda_stream__``.

    Returns
    -------
    int
        0 and 1 are the legacy default stream, 2 is the thread's own default stream.
    """
    if stream is None:
        return _current()
    if isinstance(stream, int) and not isinstance(stream, bool):
        if not 0 <= stream <= _LARGEST:
            raise ValueError(f"the handle of a stream has 64 bits and no sign; found {stream}")
        return stream
    protocol = getattr(stream, "__cuda_stream__", None)
    if protocol is not None:
        _, handle = protocol() if callable(protocol) else protocol
        return int(handle)
    for name in _ATTRIBUTES:
        handle = getattr(stream, name, None)
        if handle is None:
            continue
        value = getattr(handle, "value", handle)  # numba's are those of ctypes; None stands for 0.
        if value is None or isinstance(value, int):
            return value or 0
    raise TypeError(
        f"a stream is None, a handle (int), or a stream of cupy, torch, numba or cuda.core; "
        f"found {type(stream).__name__}"
    )


def _current() -> int:
    cupy = sys.modules.get("cupy")
    cuda = getattr(cupy, "cuda", None)
    if cuda is None or not hasattr(cuda, "get_current_stream"):
        return 0  # Not in use, or only half imported.
    return int(cuda.get_current_stream().ptr)
