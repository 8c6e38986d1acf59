# SPDX-License-Identifier: Apache-2.0
"""Records of pipelines, payloads and metadata, on both databases."""

from __future__ import annotations

import contextlib
import tracemalloc

import pytest

from clara_fastio.errors import AlreadyExistsError, InvalidRequestError, NotFoundError
from clara_fastio.platform._proto import jobs_pb2
from clara_fastio.platform.records import definitions, pairs, payloads, pipelines, tables
from clara_fastio.platform.records.definitions import StoredDefinition
from clara_fastio.platform.records.payloads import PayloadType

ONE, TWO = "1" * 32, "2" * 32
TEXT = StoredDefinition("copying", (("main.yaml", "name: copying"), ("more.yaml", "ä\n")))
OTHER = StoredDefinition("moving", (("main.yaml", "name: moving"),))


def texts(connection):
    return connection.execute(tables.definitions.select()).all()


def test_a_pipeline_comes_back_whole(write, read):
    write(pipelines.add, ONE, TEXT, {"Site": "north"}, 12)
    found = read(pipelines.find, ONE)
    assert (found.id, found.name, found.created) == (ONE, "copying", 12)
    assert found.metadata == {"Site": "north"}
    assert read(definitions.get, found.definition_id) == TEXT


def test_a_pipeline_that_cannot_have_its_metadata_is_not_kept(write, read):
    with pytest.raises(AlreadyExistsError, match="also given as"):
        write(pipelines.add, ONE, TEXT, {"a": "1", "A": "2"}, 12)
    with pytest.raises(NotFoundError, match=ONE):
        read(pipelines.find, ONE)
    assert read(texts) == []


def test_a_text_is_kept_once_and_as_long_as_somebody_uses_it(write, read):
    write(pipelines.add, ONE, TEXT, {}, 12)
    write(pipelines.add, TWO, TEXT, {}, 13)
    assert len(read(texts)) == 1
    write(pipelines.replace, ONE, OTHER)
    assert read(pipelines.find, ONE).name == "moving"
    assert read(pipelines.find, TWO).name == "copying"
    write(pipelines.remove, TWO)
    assert [row.name for row in read(texts)] == ["moving"]


def test_all_pipelines_come_in_the_order_in_which_they_were_made(write, read):
    for number, name in enumerate("cab"):
        write(pipelines.add, name * 32, TEXT, {"Number": str(number)}, 100 - number)
    found = read(pipelines.all_pipelines)
    assert [record.id[0] for record in found] == list("cab")
    assert [record.metadata["Number"] for record in found] == list("012")


def test_pairs_are_one_owner_s(write, read):
    write(pairs.add, pairs.JOB, ONE, {"a": "1"})
    write(pairs.add, pairs.JOB, TWO, {"a": "2"})
    write(pairs.add, pairs.PIPELINE, ONE, {"a": "3"})
    assert read(pairs.find, pairs.JOB, ONE) == {"a": "1"}
    assert read(pairs.find_many, pairs.JOB, [ONE, TWO]) == {ONE: {"a": "1"}, TWO: {"a": "2"}}
    write(pairs.forget, pairs.JOB, ONE)
    assert read(pairs.find, pairs.JOB, ONE) == {}
    assert read(pairs.find, pairs.PIPELINE, ONE) == {"a": "3"}


def test_the_largest_set_is_that_of_a_message_which_every_client_takes(write, read):
    value = "v" * pairs.LONGEST_VALUE
    most = pairs.LARGEST_SET // (8 + len(value) + 9)
    write(pairs.add, pairs.JOB, ONE, {f"{number:08d}": value for number in range(most)})
    with pytest.raises(InvalidRequestError, match=str(pairs.LARGEST_SET)):
        write(pairs.add, pairs.JOB, ONE, {"one more": value, "and one": value})
    found = read(pairs.find, pairs.JOB, ONE)
    assert len(found) == most
    assert jobs_pb2.JobsStatusResponse(metadata=found).ByteSize() <= pairs.LARGEST_SET


@pytest.mark.parametrize("value", ["", "1"])
def test_what_a_message_has_around_small_pairs_counts(write, read, monkeypatch, value):
    monkeypatch.setattr(pairs, "LARGEST_SET", 40_000)
    for number in range(40):
        with contextlib.suppress(InvalidRequestError):
            write(pairs.add, pairs.JOB, ONE, {f"{number}-{n}": value for n in range(100)})
    found = read(pairs.find, pairs.JOB, ONE)
    assert 30_000 < jobs_pb2.JobsStatusResponse(metadata=found).ByteSize() <= 40_000


def test_more_keys_are_removed_than_one_statement_takes(write, read):
    write(pairs.add, pairs.JOB, ONE, {"Site": "north", "Last": "1"})
    keys = [*(f"absent {number}" for number in range(70_000)), "last"]
    write(pairs.remove, pairs.JOB, ONE, keys)
    assert read(pairs.find, pairs.JOB, ONE) == {"Site": "north"}


def test_adding_a_pair_does_not_read_those_that_are_there(write, read):
    write(pairs.add, pairs.JOB, ONE, {f"{number}": "ä" for number in range(25_000)})
    write(pairs.add, pairs.JOB, ONE, {"another": "first"})
    tracemalloc.start()
    write(pairs.add, pairs.JOB, ONE, {"one": "more"})
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 20
    assert read(pairs.find, pairs.JOB, ONE)["one"] == "more"


def test_a_key_is_found_among_many_whatever_its_case(write, read):
    write(pairs.add, pairs.JOB, ONE, {f"Key {number}": "ä" for number in range(25_000)})
    new = {f"new {number}": "" for number in range(25_000)}
    with pytest.raises(AlreadyExistsError, match="'KEY 17' is there already"):
        write(pairs.add, pairs.JOB, ONE, {**new, "KEY 17": ""})
    assert len(read(pairs.find, pairs.JOB, ONE)) == 25_000


def test_a_payload_comes_back_whole(write, read):
    write(lambda connection: payloads.add(connection, ONE, PayloadType.PIPELINE, 7, job_id=TWO))
    write(
        lambda connection: payloads.add(
            connection, TWO, PayloadType.REUSABLE, 8, metadata={"Atlas": "MNI"}
        )
    )
    assert read(payloads.find, ONE).job_id == TWO
    found = read(payloads.find, TWO)
    assert (found.type, found.job_id, found.created) == (PayloadType.REUSABLE, None, 8)
    assert found.metadata == {"Atlas": "MNI"}
    assert read(payloads.all_ids) == {ONE, TWO}
    write(payloads.remove, TWO)
    with pytest.raises(NotFoundError, match=TWO):
        read(payloads.find, TWO)
    assert read(pairs.find, pairs.PAYLOAD, TWO) == {}
