# SPDX-License-Identifier: Apache-2.0
"""How processes meet in a context."""

from __future__ import annotations

import os
import signal
import socket

import pytest

import clara_fastio as fastio
from tests.helpers.names import unique_name

HOST = """
import sys, clara_fastio as fastio
if sys.argv[2] == "wait":
    print("started", flush=True)
    sys.stdin.readline()
with fastio.create_context(sys.argv[1]) as context:
    with context.variable("x", shape=(3,)).map("w") as array:
        array[:] = 4
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_context_is_opened_by_name_in_another_process(context, peer):
    with context.variable("x", shape=(3,)).map("w") as array:
        array[:] = 4
    assert peer.value("context.name") == context.name
    assert not peer.value("context.is_host")
    assert peer.value("context['x'].version") == 1


def test_opening_a_context_twice_gives_the_same_object(context, peer):
    assert fastio.open_context(context.name) is context
    assert peer.value("fastio.open_context(context.name) is context")


def test_context_can_be_opened_again_after_it_was_closed(context, peer):
    peer.do("name = context.name; context.close(); context = fastio.open_context(name)")
    context.variable("x", shape=(1,))
    assert peer.value("'x' in context")


def test_anonymous_contexts_have_names_of_their_own():
    with fastio.create_context() as one, fastio.create_context() as other:
        assert one.name != other.name
        assert {one.name, other.name} <= set(fastio.list_contexts())


def test_name_is_hosted_once_on_a_machine(context, run_program):
    with pytest.raises(fastio.AlreadyExistsError, match=context.name):
        fastio.create_context(context.name)
    with pytest.raises(AssertionError, match="AlreadyExistsError"):
        run_program(HOST, context.name, "now").expect("ready")


def test_name_is_free_again_after_the_context_was_closed(context_name):
    for _ in range(3):
        with fastio.create_context(context_name):
            assert context_name in fastio.list_contexts()
        assert context_name not in fastio.list_contexts()


def test_unknown_name_is_refused_at_once():
    with pytest.raises(fastio.NotFoundError, match="nobody"):
        fastio.open_context("nobody")


def test_opening_waits_for_a_host(context_name, run_program):
    host = run_program(HOST, context_name, "wait")
    host.expect("started")
    host.send()
    with fastio.open_context(context_name, timeout=10) as context:
        variable = context.get("x", timeout=10)
        with variable.map("r", timeout=10) as array:
            assert array.tolist() == [4, 4, 4]


def test_end_of_the_host_ends_the_context_but_not_its_arrays(context_name, run_program):
    host = run_program(HOST, context_name, "now")
    host.expect("ready")
    with fastio.open_context(context_name) as context:
        variable = context["x"]
        mapping = variable.map("r")
        array = mapping.array
        host.kill()
        with pytest.raises(fastio.HostDiedError):
            variable.wait(version=2, timeout=10)
        with pytest.raises(fastio.HostDiedError):
            context.create(10)
        assert array.tolist() == [4, 4, 4]
        mapping.close()


@pytest.mark.slow
def test_stopped_host_is_told_from_a_dead_one(context_name, run_program):
    host = run_program(HOST, context_name, "now", timeout=40)
    host.expect("ready")
    with fastio.open_context(context_name) as context:
        host.signal(signal.SIGSTOP)
        with pytest.raises(fastio.HostUnresponsiveError):
            context.create(1 << 20)
        host.signal(signal.SIGCONT)


def test_inherited_connection_gives_a_role_and_its_outputs(context, run_program):
    output = context.declare("scan/volume", (4, 4), "f32", producer="scan")
    dynamic = context.declare("scan/list", (None,), "f32", producer="scan")
    descriptor = context.connection("scan")
    program = run_program(
        """
        import clara_fastio as fastio
        context = fastio.open_context()
        assert fastio.open_context() is context
        print(context.role, context.is_host, context["scan/volume"].access, flush=True)
        input()
        """,
        environment={"CLARA_FASTIO_SOCKET": f"fd:{descriptor}"},
        pass_fds=[descriptor],
    )
    os.close(descriptor)
    program.expect("scan False rw")
    assert output.is_allocated
    assert not dynamic.is_allocated
    assert output.access == "r"
    assert [process.role for process in context.processes()] == ["", "scan"]
    assert {entry.producer for entry in context.entries()} == {"scan", None}
    program.send()
    program.finish()


def test_connection_is_closed_on_exec(context):
    descriptor = context.connection("scan")
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


def test_connection_can_be_opened_by_its_number(context, run_program):
    descriptor = context.connection("scan")
    program = run_program(
        """
        import sys, clara_fastio as fastio
        with fastio.open_context(socket=int(sys.argv[1])) as context:
            print(context.role, flush=True)
        """,
        descriptor,
        pass_fds=[descriptor],
    )
    os.close(descriptor)
    program.expect("scan")
    program.finish()


def test_only_the_host_hands_out_connections(peer):
    assert peer.error("context.connection('x')").startswith("ReadOnlyError")


def test_socket_that_leads_to_no_host_is_refused():
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mine.close()
    with pytest.raises((fastio.FastIOError, OSError)):
        fastio.open_context(socket=theirs.detach())


@pytest.mark.parametrize(
    ("value", "error"), [(-1, ValueError), (True, TypeError), ("3", TypeError)]
)
def test_socket_that_is_no_descriptor_is_refused(value, error):
    with pytest.raises(error, match="a socket"):
        fastio.open_context(socket=value)


def test_name_and_socket_together_are_refused():
    with pytest.raises(TypeError, match="not by both"):
        fastio.open_context("x", socket=3)


def test_without_name_and_environment_the_error_says_what_to_set(monkeypatch):
    monkeypatch.delenv("CLARA_FASTIO_SOCKET", raising=False)
    with pytest.raises(fastio.NotFoundError, match="set CLARA_FASTIO_SOCKET"):
        fastio.open_context()


@pytest.mark.parametrize("text", ["fd:", "fd:x", "fd:-1", "7", "pipe:3", "path:"])
def test_environment_that_says_neither_is_refused(monkeypatch, text):
    monkeypatch.setenv("CLARA_FASTIO_SOCKET", text)
    with pytest.raises(ValueError, match="fd:N or path:FILE"):
        fastio.open_context()


def test_path_without_a_host_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("CLARA_FASTIO_SOCKET", f"path:{tmp_path}/socket")
    with pytest.raises(fastio.NotFoundError, match="socket"):
        fastio.open_context()


def test_context_of_the_environment_is_opened_once(context, monkeypatch):
    descriptor = context.connection("again")
    monkeypatch.setenv("CLARA_FASTIO_SOCKET", f"fd:{descriptor}")
    first = fastio.open_context()
    assert fastio.open_context() is first
    first.close()
    with pytest.raises(fastio.NotFoundError, match="was closed here"):
        fastio.open_context()


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_timeout_that_is_no_time_is_refused(timeout):
    with pytest.raises(ValueError, match="a timeout is not negative"):
        fastio.open_context(unique_name(), timeout=timeout)


def test_what_is_left_open_is_closed_at_exit(run_program):
    program = run_program(
        """
        import clara_fastio as fastio
        context = fastio.create_context()
        variable = context.variable("x", shape=(100,))
        mapping = variable.map("w")
        array = mapping.array
        view = memoryview(mapping)
        capsule = mapping.__dlpack__(max_version=(1, 0))
        block = context.create(100)
        print(context.name, flush=True)
        """
    )
    name = program.read_line()
    program.finish()
    assert program.errors == ""
    assert name not in fastio.list_contexts()
