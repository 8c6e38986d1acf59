# SPDX-License-Identifier: Apache-2.0
"""Peers of different versions: another major number is named, a minor one is no matter."""

from __future__ import annotations

import socket
import threading

import pytest

import clara_fastio as fastio
from tests.ipc import wire


@pytest.mark.parametrize("major", [0, 1, 65535])
def test_client_of_another_major_version_is_told_both(context, major):
    with wire.connect(context.name) as connection:
        answer = wire.greet(connection, major=major)
    assert answer.status == wire.VERSION_MISMATCH
    assert f"{major}.0" in answer.text
    assert f"{wire.MAJOR}." in answer.text
    assert repr(context.name) in answer.text


def test_client_of_another_major_version_takes_no_slot(context, peer):
    with wire.connect(context.name) as connection:
        wire.greet(connection, major=9)
        assert len(context.processes()) == 2
    peer.run("context.create(10)")


def test_question_of_another_major_version_is_answered_in_the_same_way(context):
    with wire.connect(context.name) as connection:
        connection.send(wire.pack(wire.INFO, major=7))
        assert wire.receive(connection).status == wire.VERSION_MISMATCH
        connection.send(wire.pack(wire.INFO, serial=2))
        answer = wire.receive(connection)
    assert (answer.status, answer.text, answer.serial) == (-1, context.name, 2)


@pytest.fixture
def foreign_host(context_name):
    """A host that speaks another major version, and says what one of them says."""
    text = "the host speaks protocol 2.0, this process 1.0; install the same release on both sides"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(wire.address_of(context_name))
        listener.listen()

        def serve():
            connection, _ = listener.accept()
            with connection:
                question = wire.receive(connection)
                answer = wire.pack(
                    question.operation,
                    major=2,
                    serial=question.serial,
                    status=wire.VERSION_MISMATCH,
                    text=text,
                )
                connection.send(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield text
        thread.join()


def test_host_of_another_major_version_is_an_error_that_names_both(context_name, foreign_host):
    with pytest.raises(fastio.VersionMismatchError) as caught:
        fastio.open_context(context_name)
    assert str(caught.value) == foreign_host
