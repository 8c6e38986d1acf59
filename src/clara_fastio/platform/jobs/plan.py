# SPDX-License-Identifier: Apache-2.0
"""What the server tells a runner about its job, as one JSON object."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clara_fastio.runner import Image, Images, Place, RuntimeName, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One job.

    Parameters
    ----------
    files
        The definition: path and content of each file, the main one first.
    arguments
        Values of the pipeline's parameters.
    payload, logs, scratch
        Folders, as in :class:`clara_fastio.runner.Place`.
    images
        The programs behind the images' names.
    timeout, grace
        Seconds.
    devices
        GPUs that this job alone has.
    log_limit
        Bytes of an operator's log.
    services
        Variables that tell each operator where its services are.
    runtime
        What runs the operators.
    """

    job_id: str
    job_name: str
    files: tuple[tuple[str, str], ...]
    arguments: Mapping[str, str]
    payload: Path
    logs: Path
    scratch: Path
    timeout: float
    grace: float
    images: Images = field(default_factory=Images)
    devices: Sequence[str] = ()
    log_limit: int | None = None
    services: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    runtime: RuntimeName = RuntimeName.PROCESS

    def to_json(self) -> dict[str, Any]:
        """Give the same as values that JSON knows."""
        values = asdict(self)
        for name in ("payload", "logs", "scratch"):
            values[name] = str(values[name])
        for image in values["images"]["by_name"].values():
            image["directory"] = None if image["directory"] is None else str(image["directory"])
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Plan:
        """Read what :meth:`to_json` gave."""
        values = dict(values)
        images = {
            name: Image(
                command=tuple(image["command"]),
                directory=None if image["directory"] is None else Path(image["directory"]),
                environment=image["environment"],
                driver=image["driver"],
                container=image["container"],
            )
            for name, image in values.pop("images")["by_name"].items()
        }
        for name in ("payload", "logs", "scratch"):
            values[name] = Path(values[name])
        values["runtime"] = RuntimeName(values["runtime"])
        values["files"] = tuple((path, content) for path, content in values["files"])
        return cls(images=Images(images), **values)

    def settings(self) -> Settings:
        """Give what the runner has to know."""
        place = Place(
            job_id=self.job_id,
            job_name=self.job_name,
            payload=self.payload,
            logs=self.logs,
            scratch=self.scratch,
        )
        return Settings(
            images=self.images,
            timeout=self.timeout,
            grace=self.grace,
            directory=self.scratch,
            state=self.scratch,
            enforce_memory=True,
            devices=self.devices,
            log_limit=self.log_limit,
            services=self.services,
            runtime=self.runtime,
            place=place,
        )

    def without_paths(self, text: str) -> str:
        """Take the server's folders out of a text that callers will see."""
        for name in ("payload", "logs", "scratch"):
            text = text.replace(str(getattr(self, name)), name)
        for image in self.images.by_name.values():
            for path in (image.directory, *image.command[:1]):
                if path is not None and str(path).startswith("/"):
                    text = text.replace(str(path), Path(path).name)
        return text
