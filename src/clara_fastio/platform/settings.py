# SPDX-License-Identifier: Apache-2.0
"""How a server is to be run; the defaults of the limits are the original's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clara_fastio.errors import InvalidRequestError
from clara_fastio.runner.settings import RuntimeName

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """How a server is to be run.

    Parameters
    ----------
    root
        Folder of payloads, logs and records; made if it is not there. One server has it at a time.
    host, port
        Where it listens; port 0 picks one that is free.
    database
        URL of the records, as SQLAlchemy writes it; an SQLite file in `root` when left out.
    images
        File that says which program is behind an image's name.
    allow_any_command
        Run the command of an operator whose image is not in that file.
    service_data
        Folder of files that services of pipelines share; one in `root` when left out.
    runtime
        What runs the operators: processes of the server's user, or containers.
    slots
        Jobs that run at the same time; as many as the machine has room for when left out.
    tokens
        File of tokens; without it everybody who reaches the server may do all.
    certificate, key, client_certificates
        TLS: PEM files of the server, and of the authority whose clients may connect.
    insecure
        Listen beyond this machine without TLS and tokens.
    timeout_default, timeout_maximum
        Seconds that a job may take whose definition says nothing, and that any may take.
    grace
        Seconds between asking an operator to stop and killing it.
    drain
        Seconds that running jobs get to their end when the server is to end.
    memory
        Megabytes that running jobs may request together; all that the machine has when left out.
    gpus
        Numbers or UUIDs of the GPUs that jobs may have, separated by commas; those of
        ``CUDA_VISIBLE_DEVICES``, or all, when left out.
    storage_percentage
        Above this usage of the disk, in percent, nothing is taken in any more.
    payload_capacity
        Bytes of all payloads together; ``None`` leaves it to the disk.
    message_bytes
        The largest message that is taken.
    calls
        Calls that are served at the same time; more have to wait.
    log_size
        Bytes of one operator's log; of a longer one, its beginning and its end are kept.
    log_days, log_capacity
        Days after which the logs of a job are removed, and bytes of all logs above which the oldest
        ones are. 0 is no limit for these three.
    metrics_port
        Port of the metrics on `host`; ``None`` for no metrics.
    """

    root: Path
    host: str = "127.0.0.1"
    port: int = 30031
    database: str | None = None
    images: Path | None = None
    allow_any_command: bool = False
    service_data: Path | None = None
    runtime: RuntimeName = RuntimeName.PROCESS
    slots: int | None = None
    tokens: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    client_certificates: Path | None = None
    insecure: bool = False
    timeout_default: float = 600.0
    timeout_maximum: float = 1800.0
    grace: float = 15.0
    drain: float = 15.0
    memory: int | None = None
    gpus: str | None = None
    storage_percentage: float = 80.0
    payload_capacity: int | None = None
    message_bytes: int = 4 << 20
    calls: int | None = None
    log_size: int = 16 << 20
    log_days: float = 30.0
    log_capacity: int = 10 << 30
    metrics_port: int | None = None

    def __post_init__(self) -> None:
        for name, is_right, expected in _RULES:
            value = getattr(self, name)
            if value is not None and not is_right(value):
                option = f"--{name.replace('_', '-')}"
                raise InvalidRequestError(f"{option} is {value!r}; it has to be {expected}")
        if (self.certificate is None) != (self.key is None):
            raise InvalidRequestError("TLS needs both a certificate and its key")
        if self.client_certificates is not None and self.certificate is None:
            raise InvalidRequestError("clients' certificates need one of the server, too")

    @property
    def database_url(self) -> str:
        """Where the records are."""
        return self.database or f"sqlite:///{self.root.absolute() / 'records.sqlite'}"


_Rule = tuple[str, "Callable[[float], bool]", str]
_RULES: tuple[_Rule, ...] = (
    ("port", lambda port: 0 <= port < 1 << 16, "from 0 to 65535"),
    ("metrics_port", lambda port: 0 <= port < 1 << 16, "from 0 to 65535"),
    ("slots", lambda slots: slots >= 1, "1 or more"),
    ("timeout_default", lambda seconds: seconds > 0, "more than 0 seconds"),
    ("timeout_maximum", lambda seconds: seconds > 0, "more than 0 seconds"),
    ("grace", lambda seconds: seconds >= 0, "0 seconds or more"),
    ("drain", lambda seconds: seconds >= 0, "0 seconds or more"),
    ("memory", lambda megabytes: megabytes > 0, "more than 0 megabytes"),
    ("storage_percentage", lambda percent: 0 < percent <= 100, "above 0 and at most 100"),
    ("payload_capacity", lambda nbytes: nbytes >= 0, "0 bytes or more"),
    ("message_bytes", lambda nbytes: nbytes >= 64 << 10, "64 KiB or more"),
    ("log_size", lambda nbytes: nbytes == 0 or nbytes >= 4 << 10, "0, or 4 KiB or more"),
    ("log_days", lambda days: days >= 0, "0 days or more"),
    ("log_capacity", lambda nbytes: nbytes >= 0, "0 bytes or more"),
    ("calls", lambda calls: calls >= 1, "1 or more"),
)
