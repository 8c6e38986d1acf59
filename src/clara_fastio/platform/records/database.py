# SPDX-License-Identifier: Apache-2.0
"""The database: transactions in threads of their own, so that the loop never waits for a disk."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy
from sqlalchemy import event, exc, insert, select

from clara_fastio.errors import (
    InvalidRequestError,
    LayoutError,
    OutOfMemoryError,
    UnavailableError,
    VersionMismatchError,
)
from clara_fastio.platform.records import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

Result = TypeVar("Result")

_READERS = 2
_READS_ONLY = "clara_fastio_reads_only"
#: What SQLite and PostgreSQL call a full disk.
_FULL = ("database or disk is full", "disk full", "no space left")
_CORRUPT = ("malformed", "not a database", "corrupt")


class Database:
    """Records on SQLite or PostgreSQL.

    Writes are done one after the other, each in one transaction; when :meth:`write` has returned,
    its changes are on the disk. Reads go on beside them.

    Thread safety: the coroutines only on one loop.

    Parameters
    ----------
    url
        As SQLAlchemy writes it: ``sqlite:////srv/clara/records.sqlite`` or
        ``postgresql+psycopg://user@host/name``.

    Raises
    ------
    InvalidRequestError
        The URL is none, or of another kind.
    UnavailableError
        It cannot be reached or opened.
    VersionMismatchError
        Another version of this program has made it.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._reading: dict[str, Any]
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
            self._reading = {_READS_ONLY: True}
        else:
            # SQLite always reads one state; PostgreSQL has to be asked.
            self._reading = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._writer = ThreadPoolExecutor(1, "records-writer")
        self._readers = ThreadPoolExecutor(_READERS, "records-reader")
        try:
            with _explained(), _translated(), self._engine.begin() as connection:
                _make_tables(connection)
        except BaseException:
            self.close()
            raise

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Do `work` in one transaction that changes records; all of it, or nothing.

        Parameters
        ----------
        work
            Called in the writer's thread. What it raises goes to the caller, and undoes it.

        Raises
        ------
        UnavailableError
            The database is gone or busy; nothing was changed.
        OutOfMemoryError
            There is no room on its disk; nothing was changed.
        LayoutError
            Its files are damaged.
        """
        # Shielded: a caller that goes away must not undo the report of what was done.
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._writer, self._write, work))

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Do `work` on a consistent state that no write changes meanwhile; raises as `write`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._read, work)

    def close(self) -> None:
        """Finish what was begun and close all connections; blocks until then."""
        self._writer.shutdown()
        self._readers.shutdown()
        self._engine.dispose()

    def _write(self, work: Callable[[Connection], Result]) -> Result:
        with _translated(), self._engine.begin() as connection:
            return work(connection)

    def _read(self, work: Callable[[Connection], Result]) -> Result:
        with _translated(), self._engine.connect() as connection:
            connection.execution_options(**self._reading)
            with connection.begin():
                return work(connection)


def _engine(url: str) -> sqlalchemy.Engine:
    try:
        engine = sqlalchemy.create_engine(url, pool_pre_ping=True)
    except (exc.ArgumentError, ImportError) as error:
        # The URL is not repeated: it may hold a password.
        raise InvalidRequestError(
            f"the URL of the database cannot be used ({type(error).__name__}); write it as "
            "sqlite:////folder/file or postgresql+psycopg://user@host/name, the latter with the "
            "extra 'postgresql' of this package"
        ) from error
    if engine.dialect.name not in {"sqlite", "postgresql"}:
        raise InvalidRequestError(
            f"records are kept in SQLite or PostgreSQL, not in {engine.dialect.name!r}"
        )
    if engine.dialect.name == "sqlite" and engine.url.database in {None, "", ":memory:"}:
        raise InvalidRequestError(
            "the URL of the database names no file; records in memory would be lost at the end, so "
            "write it as sqlite:////folder/file"
        )
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    # SQLAlchemy begins transactions itself: see `_begin_sqlite`.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=wal", "synchronous=full", "foreign_keys=on", "busy_timeout=10000"):
        cursor.execute(f"pragma {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A write that begins as a read fails when somebody else wrote in between.
    reads_only = connection.get_execution_options().get(_READS_ONLY, False)
    connection.exec_driver_sql("begin" if reads_only else "begin immediate")


def _make_tables(connection: Connection) -> None:
    tables.metadata.create_all(connection)
    found = connection.execute(select(tables.schema.c.version)).scalar_one_or_none()
    if found is None:
        connection.execute(insert(tables.schema).values(version=tables.SCHEMA_VERSION))
    elif found != tables.SCHEMA_VERSION:
        raise VersionMismatchError(
            f"the records have the schema version {found}, this program knows "
            f"{tables.SCHEMA_VERSION}; use the version that made them, or another root"
        )


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Say why a database cannot be opened, to who starts the server: no caller hears this."""
    try:
        yield
    except UnavailableError as error:
        cause = error.__cause__
        reason = str(cause.orig if isinstance(cause, exc.DBAPIError) else cause).strip()
        raise UnavailableError(
            f"the database of the records cannot be opened: {reason}; see whether it is there, and "
            "whether you may use it"
        ) from cause


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn errors of the database into ours; what they name (paths, statements) stays inside."""
    try:
        yield
    except (exc.DBAPIError, exc.TimeoutError) as error:
        text = str(error.orig if isinstance(error, exc.DBAPIError) else error).lower()
        if any(word in text for word in _FULL):
            message = "the disk of the records is full; nothing was changed. Make room, then repeat"
            raise OutOfMemoryError(message) from error
        if any(word in text for word in _CORRUPT):
            raise LayoutError("the records are damaged; restore them from a copy") from error
        if isinstance(error, exc.IntegrityError | exc.ProgrammingError | exc.DataError):
            raise  # A mistake of ours.
        message = "the records cannot be reached; nothing was changed. Repeat the call later"
        raise UnavailableError(message) from error
