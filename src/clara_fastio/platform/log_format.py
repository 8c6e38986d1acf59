# SPDX-License-Identifier: Apache-2.0
"""How the server's log is written: lines for people, or an object per line for programs."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

#: What a line may be about; passed as ``extra`` where it is logged.
SUBJECTS = ("job", "operator")


class JsonFormatter(logging.Formatter):
    """Writes a JSON object per line, with `job` and `operator` where a line is about one."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        values = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        values |= {name: getattr(record, name) for name in SUBJECTS if hasattr(record, name)}
        if record.exc_info:
            values["traceback"] = self.formatException(record.exc_info)
        return json.dumps(values)


def text_formatter() -> logging.Formatter:
    """Write lines for people."""
    return logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
