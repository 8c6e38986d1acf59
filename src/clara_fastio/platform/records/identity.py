# SPDX-License-Identifier: Apache-2.0
"""The id that the records and the root of their server have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from clara_fastio.platform.records import tables

if TYPE_CHECKING:
    from sqlalchemy import Connection


def find(connection: Connection) -> str | None:
    """Give the id; None in new records."""
    return connection.execute(select(tables.identity.c.id)).scalar_one_or_none()


def keep(connection: Connection, root_id: str) -> None:
    """Keep the id of the root, once and for all."""
    if find(connection) is None:
        connection.execute(insert(tables.identity).values(id=root_id))
