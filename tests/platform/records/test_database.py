# SPDX-License-Identifier: Apache-2.0
"""Transactions: all or nothing, on the disk when they are done, and errors of our own."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from sqlalchemy import insert, select, update

from clara_fastio.errors import (
    InvalidRequestError,
    LayoutError,
    UnavailableError,
    VersionMismatchError,
)
from clara_fastio.platform.records import tables
from clara_fastio.platform.records.database import Database


def keep(connection, key, value="v"):
    connection.execute(
        insert(tables.pairs).values(kind="job", owner_id="a" * 32, folded=key, key=key, value=value)
    )


def keys(connection):
    return (
        connection.execute(select(tables.pairs.c.key).order_by(tables.pairs.c.key)).scalars().all()
    )


def test_what_was_written_is_read(write, read):
    write(keep, "one")
    assert read(keys) == ["one"]


def test_a_transaction_that_fails_leaves_nothing(write, read):
    def half(connection):
        keep(connection, "one")
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        write(half)
    assert read(keys) == []


def test_a_caller_that_goes_away_does_not_undo_its_write(database):
    entered = threading.Event()

    def slow(connection):
        entered.set()
        time.sleep(0.1)
        keep(connection, "one")

    async def give_up():
        task = asyncio.create_task(database.write(slow))
        await asyncio.to_thread(entered.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await database.write(keys)

    assert asyncio.run(give_up()) == ["one"]


def test_readers_see_one_state_while_others_write(database):
    async def both():
        first_read = threading.Event()
        written = threading.Event()

        def read_twice(connection):
            before = keys(connection)
            first_read.set()
            assert written.wait(10)
            return before, keys(connection)

        reading = asyncio.create_task(database.read(read_twice))
        await asyncio.to_thread(first_read.wait, 10)
        await database.write(lambda connection: keep(connection, "one"))
        written.set()
        return await reading

    assert asyncio.run(both()) == ([], [])


@pytest.mark.usefixtures("database")
def test_another_schema_is_refused(url, write):
    write(lambda connection: connection.execute(update(tables.schema).values(version=99)))
    with pytest.raises(VersionMismatchError, match="version 99"):
        Database(url)


def test_a_database_that_is_damaged_says_so(tmp_path):
    path = tmp_path / "records.sqlite"
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(LayoutError, match="damaged"):
        Database(f"sqlite:///{path}")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:////nowhere/records.sqlite", "unable to open database file"),
        ("postgresql+psycopg://nobody:secret@127.0.0.1:1/records", "Connection refused"),
    ],
)
def test_a_database_out_of_reach_says_why(url, reason):
    with pytest.raises(UnavailableError, match=reason) as caught:
        Database(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_records_are_not_kept_in_memory(url):
    with pytest.raises(InvalidRequestError, match="names no file"):
        Database(url)


def test_sqlite_keeps_what_it_must(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'records.sqlite'}")
    try:
        modes = asyncio.run(
            database.read(
                lambda connection: [
                    connection.exec_driver_sql(f"pragma {name}").scalar_one()
                    for name in ("journal_mode", "synchronous", "foreign_keys")
                ]
            )
        )
    finally:
        database.close()
    assert modes == ["wal", 2, 1]


WRITER = """
import asyncio, sys
from clara_fastio.platform.records.database import Database
from tests.platform.records.test_database import keep

async def main():
    database = Database(sys.argv[1])
    for number in range(10**6):
        await database.write(lambda connection: keep(connection, f"{number:06d}"))
        print(number, flush=True)

asyncio.run(main())
"""


def test_what_was_acknowledged_is_there_after_a_kill(url, read):
    program = subprocess.Popen(
        [sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True
    )
    for _ in range(20):
        last = program.stdout.readline()
    program.kill()
    rest, _ = program.communicate()
    acknowledged = int((last + rest).split()[-1]) + 1
    found = read(keys)
    assert found[:acknowledged] == [f"{number:06d}" for number in range(acknowledged)]
    assert len(found) <= acknowledged + 1  # One may be committed and not yet acknowledged.


def test_a_killed_database_is_unavailable_and_comes_back(postgresql):
    database = Database(postgresql.new_database())

    async def through_a_crash():
        await database.write(lambda connection: keep(connection, "one"))
        postgresql.stop(signal.SIGQUIT)
        try:
            with pytest.raises(UnavailableError, match="nothing was changed"):
                await database.write(lambda connection: keep(connection, "two"))
        finally:
            postgresql.restart()
        await database.write(lambda connection: keep(connection, "three"))
        return await database.read(keys)

    try:
        assert asyncio.run(through_a_crash()) == ["one", "three"]
    finally:
        database.close()


def test_a_locked_sqlite_file_is_waited_for(tmp_path):
    path = tmp_path / "records.sqlite"
    database = Database(f"sqlite:///{path}")
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("begin immediate")
    threading.Timer(0.2, other.execute, ["commit"]).start()
    try:
        asyncio.run(database.write(lambda connection: keep(connection, "one")))
    finally:
        database.close()
        other.close()
