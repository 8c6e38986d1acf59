# SPDX-License-Identifier: Apache-2.0
"""Ids on the command line: any left part that fits one alone is enough."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from clara_fastio.errors import InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from clara_fastio.platform import Client

_LENGTH = 32
_SHOWN = 12
_LISTED = 5
_DIGITS = re.compile(r"[0-9a-f]+")


class Known(NamedTuple):
    """An id that the server has, and the name of what it stands for."""

    id: str
    name: str


def resolve(texts: Iterable[str], what: str, known: Callable[[], Iterable[Known]]) -> list[str]:
    """Find the ids that texts begin; `known` is asked only if one is not whole.

    Raises
    ------
    NotFoundError
        None begins so.
    InvalidRequestError
        Several do, or it is no part of an id.
    """
    all_known: dict[str, str] | None = None
    found = []
    for text in texts:
        digits = text.strip().replace("-", "").lower()
        if not _DIGITS.fullmatch(digits) or len(digits) > _LENGTH:
            raise InvalidRequestError(f"{text!r} is no {what} id and no beginning of one")
        if len(digits) < _LENGTH:
            if all_known is None:
                all_known = {each.id: each.name for each in known()}
            digits = _complete(digits, what, all_known)
        found.append(digits)
    return list(dict.fromkeys(found))


def _complete(digits: str, what: str, known: dict[str, str]) -> str:
    fitting = [each for each in known if each.startswith(digits)]
    if not fitting:
        hint = "; ids of reusable payloads have to be whole" if "payload" in what else ""
        raise NotFoundError(f"there is no {what} whose id begins with {digits!r}{hint}")
    if len(fitting) > 1:
        lines = [f"  {each}  {known[each]}".rstrip() for each in fitting[:_LISTED]]
        if len(fitting) > _LISTED:
            lines.append(f"  and {len(fitting) - _LISTED} more")
        raise InvalidRequestError(
            "\n".join([f"{digits!r} begins the ids of {len(fitting)} {what}s:", *lines])
        )
    return fitting[0]


def pipeline_ids(client: Client, texts: Iterable[str]) -> list[str]:
    """Find pipelines."""
    return resolve(texts, "pipeline", lambda: pipelines(client))


def job_ids(client: Client, texts: Iterable[str]) -> list[str]:
    """Find jobs."""
    return resolve(texts, "job", lambda: jobs(client))


def payload_ids(client: Client, texts: Iterable[str]) -> list[str]:
    """Find payloads by their own ids or by those of their jobs.

    The wire has no list of reusable payloads, so their ids have to be whole.
    """
    from clara_fastio.errors import NotFoundError
    from clara_fastio.platform import JobFilter

    listed: list[tuple[str, str, str]] = []

    def known() -> list[Known]:
        listed.extend((job.id, job.payload_id, job.name) for job in client.jobs.list(JobFilter()))
        return [Known(each, name) for *ids, name in listed for each in ids]

    found = resolve(texts, "job or payload", known)
    payload_of = {job_id: payload_id for job_id, payload_id, _ in listed}
    result = []
    for each in found:
        payload = payload_of.get(each, each)
        if payload == each:
            try:
                payload = client.jobs.get(each).payload_id
            except NotFoundError:
                payload = each
        result.append(payload)
    return result


def pipelines(client: Client) -> list[Known]:
    """Name all pipelines."""
    return [Known(each.id, each.name) for each in client.pipelines.list()]


def jobs(client: Client) -> list[Known]:
    """Name all jobs."""
    from clara_fastio.platform import JobFilter

    return [Known(each.id, each.name) for each in client.jobs.list(JobFilter())]


def shortened(ids: Sequence[str]) -> dict[str, str]:
    """Give as much of each id as tells it from the others, and never less than some digits."""
    length = _SHOWN
    while len({each[:length] for each in ids}) < len(set(ids)):
        length += 1
    return {each: each[:length] for each in ids}
