# SPDX-License-Identifier: Apache-2.0
"""cupy arrays over device memory that they do not own; the only place that imports cupy."""

from __future__ import annotations

from typing import Any

import numpy as np

from clara_fastio.errors import DeviceError

_MISSING = (
    "arrays in device memory are cupy's, and cupy cannot be imported ({error}); install "
    "'clara_fastio[cuda]', or take the memory by DLPack or __cuda_array_interface__ from the "
    "mapping itself"
)


def make_array(
    pointer: int, shape: tuple[int, ...], dtype: np.dtype[Any], order: str, ordinal: int, owner: Any
) -> Any:
    """Make a ``cupy.ndarray`` over device memory.

    Parameters
    ----------
    pointer
        Its address on the device.
    shape, dtype, order
        As numpy has them.
    ordinal
        The device's number in this process, so that the driver is not asked for it.
    owner
        What the array, and everything made from it without a copy, keeps alive.
    """
    try:
        import cupy
    except ImportError as error:
        raise DeviceError(_MISSING.format(error=error)) from error
    nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    # No length is no address for cupy, which refuses null only.
    memory = cupy.cuda.UnownedMemory(pointer, max(nbytes, 1), owner, ordinal)
    return cupy.ndarray(shape, dtype, cupy.cuda.MemoryPointer(memory, 0), order=order)
