# SPDX-License-Identifier: Apache-2.0
"""What is used is recorded with the reason why nothing better was, and leaves no error behind."""

from __future__ import annotations

import pytest

from tests.ipc.peer import RemoteError

NO_VMM = "102=0"
NO_DESCRIPTOR = "103=0"
NO_WORDS = "122=0"
NO_EVENTS = "125=0"


def transport_of(peer, name="x"):
    return peer.run(f"from dataclasses import asdict; asdict(context[{name!r}].transport)")


def test_best_is_taken_and_needs_no_reason(producer, consumer):
    producer.run("x = device_variable(); write(x, 1)")
    uuid = producer.run("x.device")
    assert transport_of(producer) == {
        "memory": "vmm",
        "memory_reason": "",
        "order": "timeline",
        "order_reason": "",
        "own": True,
        "read_only": False,
        "device": uuid,
    }
    consumer.run("read(context['x']).values()")
    found = transport_of(consumer)
    assert found["own"] is False
    assert found["read_only"] is True
    assert (found["memory"], found["order"], found["device"]) == ("vmm", "timeline", uuid)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"attributes": NO_VMM}, ["vmm", "attribute"]),
        ({"attributes": NO_DESCRIPTOR}, ["vmm", "attribute"]),
        ({"errors": "cuMemCreate=801"}, ["vmm", "cuMemCreate", "NOT_SUPPORTED"]),
        (
            {"errors": "cuMemExportToShareableHandle=801"},
            ["vmm", "cuMemExportToShareableHandle", "NOT_SUPPORTED"],
        ),
        ({"errors": "cuMemAddressReserve=2"}, ["vmm", "cuMemAddressReserve"]),
        ({"errors": "cuMemSetAccess=801"}, ["vmm", "cuMemSetAccess"]),
        ({"errors": "cuMemImportFromShareableHandle=801"}, ["vmm", "cuMemImport"]),
        ({"missing": "cuMemMap"}, ["vmm", "cuMemMap"]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_legacy_when_vmm_does_not_work(start_gpu, settings, words):
    producer, consumer = start_gpu(**settings), start_gpu(**settings)
    producer.run("x = device_variable(); write(x, 3)")
    assert consumer.run("read(context['x']).values()") == [3, 3]
    for peer in (producer, consumer):
        found = transport_of(peer)
        assert found["memory"] == "legacy"
        assert found["read_only"] is False
    reason = transport_of(producer)["memory_reason"]
    for word in words:
        assert word in reason, reason
    assert producer.run("fastio.capabilities().devices[0].transports['vmm']")
    assert producer.run("fastio.capabilities().devices[0].transports['legacy']") == ""


BOTH = "cuMemCreate=801;cuIpcGetMemHandle=801"


def test_nothing_works_and_the_error_holds_every_refusal(start_gpu):
    producer = start_gpu(errors=BOTH)
    with pytest.raises(RemoteError, match="DeviceIpcUnavailableError") as raised:
        producer.run("device_variable()")
    for word in ("vmm", "cuMemCreate", "legacy", "cuIpcGetMemHandle", "fallback"):
        assert word in str(raised.value)
    assert producer.run("'x' in context") is False


def test_host_only_when_it_is_allowed(start_gpu):
    producer, consumer = start_gpu(errors=BOTH), start_gpu()
    producer.run("x = device_variable(fallback='host'); write(x, 6)")
    assert consumer.run("read(context['x']).values()") == [6, 6]
    found = transport_of(producer)
    assert found["memory"] == "host"
    for word in ("vmm", "cuMemCreate", "legacy", "cuIpcGetMemHandle"):
        assert word in found["memory_reason"]
    assert transport_of(consumer)["memory"] == "host"
    assert transport_of(consumer)["read_only"] is False


def test_fallback_is_not_used_where_something_better_works(producer):
    producer.run("x = device_variable(fallback='host'); write(x, 6)")
    assert transport_of(producer)["memory"] == "vmm"


@pytest.mark.parametrize(
    ("settings", "order", "words"),
    [
        ({"attributes": NO_WORDS}, "events", ["timeline"]),
        ({"errors": "cuMemHostRegister_v2=801"}, "events", ["timeline", "cuMemHostRegister"]),
        ({"missing": "cuStreamWaitValue64_v2"}, "events", ["timeline", "cuStreamWaitValue64"]),
        ({"missing": "cuStreamWriteValue64_v2"}, "events", ["timeline", "cuStreamWriteValue64"]),
        (
            {"attributes": f"{NO_WORDS},{NO_EVENTS}"},
            "synchronize",
            ["timeline", "events"],
        ),
        (
            {"attributes": NO_WORDS, "errors": "cuIpcGetEventHandle=801"},
            "synchronize",
            ["timeline", "events", "cuIpcGetEventHandle"],
        ),
    ],
)
def test_next_order_when_a_better_one_does_not_work(start_gpu, settings, order, words):
    producer, consumer = start_gpu(**settings), start_gpu()
    producer.run("x = device_variable(); write(x, 1)")
    consumer.run("x = context['x']")
    for value in range(2, 12):
        assert consumer.run("read(x, ms=1).values()") == [value - 1, value - 1]
        producer.run(f"write(x, {value}, ms=1)")
    found = transport_of(producer)
    assert found["order"] == order
    for word in words:
        assert word in found["order_reason"], found["order_reason"]
    assert transport_of(consumer)["order"] == "timeline"


@pytest.mark.parametrize("name", ["transport", "sync"])
def test_word_of_the_environment_that_means_nothing(start_gpu, name):
    peer = start_gpu(**{name: "telepathy"})
    with pytest.raises(RemoteError, match=r"ValueError.*telepathy"):
        peer.run("x = device_variable(); write(x, 1)")


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"transport": "vmm", "errors": "cuMemCreate=801"}, "DeviceIpcUnavailableError.*vmm"),
        ({"transport": "legacy", "errors": "cuIpcGetMemHandle=801"}, "DeviceIpc.*legacy"),
        ({"sync": "timeline", "attributes": NO_WORDS}, "Error.*timeline"),
    ],
)
def test_what_the_environment_demands_and_does_not_work(start_gpu, settings, error):
    peer = start_gpu(**settings)
    with pytest.raises(RemoteError, match=error):
        peer.run("x = device_variable(); write(x, 1)")


@pytest.mark.parametrize(
    "errors",
    [
        "cuMemCreate=2@2",
        "cuMemMap=1@2",
        "cuMemSetAccess=1@3",
        "cuMemExportToShareableHandle=999@2",
        "cuStreamWriteValue64_v2=1@2",
        "cuMemAddressReserve=2@2",
    ],
)
def test_error_that_comes_once_leaves_nothing_behind(start_gpu, errors):
    peer = start_gpu(errors=errors)
    peer.run(
        """
        failures = []
        for _ in range(4):
            try:
                x = device_variable("x", 1024)
                write(x, 4)
                assert read(x).values() == [4, 4]
            except fastio.FastIOError as error:
                failures.append(str(error))
            if "x" in context:
                context["x"].free()
        """
    )
    assert peer.run("len(failures)") <= 1
    peer.run("y = device_variable('y'); write(y, 5)")
    assert peer.run("read(y).values()") == [5, 5]
    assert peer.run("gpu.is_done(s)")


def test_consumer_that_cannot_open_what_is_there_is_told_why(producer, start_gpu):
    producer.run("x = device_variable(); write(x, 5)")
    other = start_gpu(errors="cuMemImportFromShareableHandle=801")
    with pytest.raises(RemoteError, match=r"(DeviceIpcUnavailable|Cuda)Error") as raised:
        other.run("context['x'].map('r', timeout=5, stream=s)")
    assert "NOT_SUPPORTED" in str(raised.value)
    producer.run("write(x, 6)")
    assert producer.run("read(x).values()") == [6, 6]


def test_device_that_the_environment_chose_for_a_producer(start_gpu):
    producer = start_gpu(devices=2, chosen="y=0;x=1;a%3Db=1")
    assert producer.run("device_variable('x').device").endswith("01")
    assert producer.run("device_variable('y').device").endswith("00")
    assert producer.run("device_variable('z').device").endswith("00")
    assert producer.run("device_variable('a=b').device").endswith("01")
    assert producer.run("device_variable('w', device=1).device").endswith("01")
