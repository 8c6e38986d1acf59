# SPDX-License-Identifier: Apache-2.0
"""A program that tries to make a user namespace; run alone, because it may have one thread only."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWUSER = 0x10000000


def main() -> None:
    """Make one, which is gone with this process; the message says why it is refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise SystemExit(os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    main()
