# SPDX-License-Identifier: Apache-2.0
"""What payloads may take: of the capacity, and of the volume, whoever fills it."""

from __future__ import annotations

import uuid

import pytest

from clara_fastio.errors import OutOfMemoryError
from clara_fastio.platform._proto import payloads_pb2
from clara_fastio.platform.payloads.store import PayloadStore
from clara_fastio.platform.payloads.usage import StorageLimits, shown_bytes
from clara_fastio.platform.records.payloads import PayloadType
from clara_fastio.platform.wire.codes import Code
from tests.platform.payloads.shelf import Requests, Shelf
from tests.platform.serving import Wire

MIB = 1 << 20


def test_uploads_that_go_on_count_against_the_capacity(tmp_path):
    store = PayloadStore(tmp_path, StorageLimits(capacity=1000))
    shelf = Shelf(store, PayloadType.REUSABLE)
    first, second = shelf.begin(), shelf.begin()
    first.write("a", 0, [b"x" * 600])
    with pytest.raises(OutOfMemoryError, match="Delete payloads, or raise the capacity") as failure:
        second.write("b", 0, [b"x" * 401])
    assert "401 bytes are wanted; the payloads take 600 bytes of 1000 bytes" in str(failure.value)
    assert (failure.value.requested, failure.value.available) == (401, 400)
    second.abort()
    first.abort()
    shelf.put("b", b"x" * 1000)
    with pytest.raises(OutOfMemoryError):
        Shelf(store, PayloadType.REUSABLE).put("c", b"1")
    shelf.store.remove(shelf.id, "b")
    shelf.put("b", b"x" * 1000)


@pytest.mark.parametrize(
    ("nbytes", "shown"),
    [
        *((0, "0 bytes"), (1023, "1023 bytes"), (40_000, "39.1 KiB"), (3 * MIB, "3.0 MiB")),
        *((5 << 30, "5.0 GiB"), (7 << 40, "7.0 TiB"), (9 << 50, "9216.0 TiB")),
    ],
)
def test_sizes_are_shown_in_a_unit_of_which_there_is_one(nbytes, shown):
    assert shown_bytes(nbytes) == shown


def test_copies_count_against_the_capacity(tmp_path):
    store = PayloadStore(tmp_path, StorageLimits(capacity=1000))
    shelf, job = (Shelf(store, kind) for kind in (PayloadType.REUSABLE, PayloadType.PIPELINE))
    shelf.put("a", b"x" * 600)
    with pytest.raises(OutOfMemoryError):
        store.copy_into(job.id, [shelf.id])
    store.delete(job.id)
    assert store.usage.total == 600


def test_a_volume_is_filled_up_to_the_limit_only(small_volume):
    store = PayloadStore(small_volume / "root", StorageLimits(usage_percentage=50))
    shelf = Shelf(store, PayloadType.REUSABLE)
    shelf.put("a", b"x" * (6 * MIB))
    with pytest.raises(OutOfMemoryError, match=r"50 % is the limit; 3.0 MiB are wanted"):
        shelf.put("b", b"x" * (3 * MIB))
    (small_volume / "somebody else's").write_bytes(b"x" * (3 * MIB))
    with pytest.raises(OutOfMemoryError, match=r"is 5\d % full"):
        store.create(uuid.uuid4().hex, PayloadType.REUSABLE)
    assert shelf.names() == ["/a"]


def test_a_full_volume_is_an_error_that_leaves_nothing(small_volume):
    # Somebody else may be faster than the look at the limit.
    store = PayloadStore(small_volume / "root", StorageLimits(usage_percentage=1000))
    shelf = Shelf(store, PayloadType.REUSABLE)
    shelf.put("a", b"old")
    upload = shelf.begin()
    upload.write("a", 0, [b"x" * (10 * MIB)])
    with pytest.raises(OutOfMemoryError, match="volume of the payloads is full; nothing was kept"):
        upload.write("a", 0, [b"x" * (4 * MIB), b"x" * (4 * MIB)])
    upload.abort()
    assert shelf.get("a") == b"old"
    assert not list((small_volume / "root" / "uploads").iterdir())
    assert store.usage.total == 3


#: A server's process may write files of up to one MiB: what is more fails in the system call.
LIMITED = """
    import resource, sys, uuid
    from pathlib import Path
    from clara_fastio.errors import OutOfMemoryError
    from clara_fastio.platform.payloads.store import PayloadStore
    from clara_fastio.platform.records.payloads import PayloadType
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    store = PayloadStore(Path(sys.argv[1]))
    payload_id = uuid.uuid4().hex
    store.create(payload_id, PayloadType.REUSABLE)
    upload = store.begin_upload(payload_id, PayloadType.REUSABLE)
    upload.write("a", 0, [bytes(1 << 20)])
    try:
        upload.write("a", 0, [bytes(1)])
    except OutOfMemoryError as error:
        print(error)
    upload.abort()
    print(list(store.files(payload_id)), store.usage.total)
    """


def test_a_write_that_the_system_refuses_is_an_error_that_leaves_nothing(run_program, tmp_path):
    program = run_program(LIMITED, tmp_path / "root")
    assert program.finish() == (
        "the file is larger than the system lets the server write; nothing was kept\n[] 0\n"
    )
    assert not list((tmp_path / "root" / "uploads").iterdir())


@pytest.fixture
def small_server(serve, small_volume):
    """A server that may fill its volume of 16 MiB by 60 per cent."""
    return serve("--storage-percentage", "60", root=small_volume / "root")


def test_a_server_refuses_what_its_volume_has_no_room_for(small_server, small_volume):
    with small_server.connect() as channel:
        wire = Wire(channel)
        requests = Requests(wire.Payloads.Create().payload_id)
        assert wire.Payloads.Upload([requests.part("a", b"old")]).header.code == 0
        answer = wire.Payloads.Upload(requests.part("a", bytes(MIB)) for _ in range(20))
        assert answer.header.code == Code.RESOURCE_EXHAUSTED
        assert "60 % is the limit" in answer.header.messages[0]
        assert not list((small_server.root / "uploads").iterdir())
        (downloaded,) = wire.Payloads.Download(requests.Download(name="a"))
        assert downloaded.data == b"old"
        (small_volume / "somebody else's").write_bytes(bytes(10 * MIB))
        refused = wire.Payloads.Create()
        assert refused.header.code == Code.RESOURCE_EXHAUSTED
        assert not refused.HasField("payload_id")
        (small_volume / "somebody else's").unlink()
        assert wire.Payloads.Create().header.code == 0
        assert (
            wire.Payloads.Delete(
                payloads_pb2.PayloadsDeleteRequest(payload_id=requests.payload_id)
            ).header.code
            == 0
        )
