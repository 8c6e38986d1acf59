# SPDX-License-Identifier: Apache-2.0
"""What a volume that is full or broken means for the one who asked."""

from __future__ import annotations

import contextlib
import errno
import logging
from typing import TYPE_CHECKING

from clara_fastio.errors import FastIOError, OutOfMemoryError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOG = logging.getLogger("clara_fastio.platform")

_FULL = {errno.ENOSPC, errno.EDQUOT}
_MANY = {errno.EMFILE, errno.ENFILE}


@contextlib.contextmanager
def storage_faults() -> Iterator[None]:
    """Turn errors of the system into ours; the paths that they name stay in the log.

    Raises
    ------
    OutOfMemoryError
        The volume is full, or a file larger than the system allows.
    UnavailableError
        Reading or writing failed; it may go well another time.
    """
    try:
        yield
    except FastIOError:
        raise
    except OSError as error:
        raise _fault(error) from error


def _fault(error: OSError) -> FastIOError:
    if error.errno in _FULL:
        return OutOfMemoryError(
            "the volume of the payloads is full; nothing was kept. Delete payloads, then repeat"
        )
    if error.errno == errno.EFBIG:
        return OutOfMemoryError(
            "the file is larger than the system lets the server write; nothing was kept"
        )
    if error.errno in _MANY:
        return UnavailableError("the server has too many files open; repeat the call later")
    _LOG.error("the storage of the payloads failed", exc_info=error)
    return UnavailableError(
        f"the storage of the payloads failed: {error.strerror}; the server's log says more"
    )
