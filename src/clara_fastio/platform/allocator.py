# SPDX-License-Identifier: Apache-2.0
"""Keeps freed memory for the next message."""

from __future__ import annotations

import contextlib
import ctypes

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_LARGEST_MESSAGE = 8 << 20
_KEPT = 32 << 20


def keep_freed_memory() -> None:
    """Tell the C library to give back memory only when 32 MiB of it are free at the end.

    Left alone it returns the memory of each message to the system and takes it again for the next
    one: a third of the time of a stream goes into touching pages anew.
    """
    # Other C libraries than glibc do not offer it, nor need it.
    with contextlib.suppress(AttributeError):
        adjust = ctypes.CDLL(None).mallopt
        adjust(_M_MMAP_THRESHOLD, _LARGEST_MESSAGE)
        adjust(_M_TRIM_THRESHOLD, _KEPT)
