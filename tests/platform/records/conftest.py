# SPDX-License-Identifier: Apache-2.0
"""Databases: everything is tested on both kinds."""

from __future__ import annotations

import asyncio

import pytest

from clara_fastio.platform.records.database import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """Give the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'records.sqlite'}"
    return request.getfixturevalue("postgresql").new_database()


@pytest.fixture
def database(url):
    """Open an empty database."""
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def write(database):
    """Write in a transaction of its own."""
    return lambda work, *arguments: asyncio.run(
        database.write(lambda connection: work(connection, *arguments))
    )


@pytest.fixture
def read(database):
    """Read."""
    return lambda work, *arguments: asyncio.run(
        database.read(lambda connection: work(connection, *arguments))
    )
