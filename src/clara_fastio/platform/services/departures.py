# SPDX-License-Identifier: Apache-2.0
"""Clients that leave before their answer is sent: no fault of the server, and one line of its log.

gRPC writes a traceback of what it was sending. Its logger is the one place that sees all of them:
what it sends after the last answer of a call is sent when our code has returned.
"""

from __future__ import annotations

import logging
import re

_LOGGER = "grpc._cython.cygrpc"
#: What gRPC raises, without a public name, when it cannot send on a call any more.
_NOT_SENT = "ExecuteBatchError"
_PATH = re.compile(r"\[(/[^\]]*)\]")


def tell_of_departures_briefly() -> None:
    """Turn each traceback of gRPC about a client that has left into one line; for this process."""
    logging.getLogger(_LOGGER).addFilter(_shortened)


def _shortened(record: logging.LogRecord) -> bool:
    kind = record.exc_info[0] if record.exc_info else None
    if kind is not None and kind.__name__ == _NOT_SENT:
        path = _PATH.search(record.getMessage())
        call = path.group(1) if path else "a call"
        record.msg, record.args = f"a client left before the answer of {call} was sent", ()
        record.exc_info = record.exc_text = None
        record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
    return True
