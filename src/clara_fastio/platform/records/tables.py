# SPDX-License-Identifier: Apache-2.0
"""The tables. Times are nanoseconds since 1970 UTC; states are the numbers of the wire's enums."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

#: Raised with each change of a table; a database of another number is refused, not guessed at.
SCHEMA_VERSION = 1

metadata = MetaData()

# SQLite counts up by itself only in a column of type INTEGER.
_Sequence = BigInteger().with_variant(Integer, "sqlite")
_Id = String(32)

schema = Table("schema_version", metadata, Column("version", Integer, nullable=False))

#: One row: the id of the root whose files these are the records of.
identity = Table("identity", metadata, Column("id", _Id, nullable=False))

#: Texts of pipelines, by the hash of their content: a job keeps what it was created with.
definitions = Table(
    "definitions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("files", Text, nullable=False),  # JSON: [[path, content], ...], the main file first.
)

pipelines = Table(
    "pipelines",
    metadata,
    Column("sequence", _Sequence, primary_key=True, autoincrement=True),
    Column("id", _Id, nullable=False, unique=True),
    Column("definition_id", ForeignKey("definitions.id"), nullable=False),
    Column("created", BigInteger, nullable=False),
)

payloads = Table(
    "payloads",
    metadata,
    Column("sequence", _Sequence, primary_key=True, autoincrement=True),
    Column("id", _Id, nullable=False, unique=True),
    Column("type", Integer, CheckConstraint("type in (1, 2)"), nullable=False),
    Column("job_id", _Id),
    Column("created", BigInteger, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("sequence", _Sequence, primary_key=True, autoincrement=True),
    Column("id", _Id, nullable=False, unique=True),
    # No foreign key: a pipeline or payload may be removed, and its jobs stay known.
    Column("pipeline_id", _Id, nullable=False, index=True),
    Column("payload_id", _Id, nullable=False),
    Column("definition_id", ForeignKey("definitions.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("priority", Integer, CheckConstraint("priority between 1 and 4"), nullable=False),
    Column("state", Integer, CheckConstraint("state between 1 and 3"), nullable=False),
    Column("status", Integer, CheckConstraint("status between 1 and 5"), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("queued", BigInteger),  # Start was accepted.
    Column("started", BigInteger),
    Column("stopped", BigInteger),
    Column("parameters", Text, nullable=False),  # JSON: {name: value}
    Index("jobs_by_state", "state", "sequence"),
)

job_messages = Table(
    "job_messages",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("text", Text, nullable=False),
)

job_operators = Table(
    "job_operators",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("created", BigInteger),
    Column("started", BigInteger),
    Column("stopped", BigInteger),
    UniqueConstraint("job_id", "name"),
)

#: Pairs that users attach to a pipeline, job or payload; keys are compared without case.
pairs = Table(
    "metadata",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("owner_id", _Id, primary_key=True),
    Column("folded", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
)
