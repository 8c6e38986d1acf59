# SPDX-License-Identifier: Apache-2.0
"""Addresses, tokens, TLS, time-outs, and servers that are not there."""

from __future__ import annotations

import concurrent.futures
import signal
import socket
import subprocess
import threading
import time

import pytest

from clara_fastio import errors
from clara_fastio.platform import Client, Tls
from clara_fastio.platform.client.address import complete, is_private

TOKENS = "read reader-0123456789\nsubmit writer-0123456789\nadmin master-0123456789\n"


@pytest.mark.parametrize(
    ("given", "completed"),
    [
        ("localhost", "localhost:30031"),
        ("localhost:5", "localhost:5"),
        (" 10.0.0.1 ", "10.0.0.1:30031"),
        ("::1", "[::1]:30031"),
        ("[::1]", "[::1]:30031"),
        ("[::1]:7", "[::1]:7"),
        ("unix:/tmp/socket", "unix:/tmp/socket"),
    ],
)
def test_addresses_are_completed(given, completed):
    assert complete(given) == completed


@pytest.mark.parametrize(
    "given",
    ["", "   ", ":30031", "host:port", "host:", "host:65536", "http://host:30031", "host/x"],
)
def test_what_is_no_address_is_refused(given):
    with pytest.raises(errors.InvalidRequestError, match="HOST:PORT"):
        Client(given)


def test_only_this_machine_is_private():
    assert is_private("127.0.0.1:1")
    assert is_private("[::1]:1")
    assert is_private("localhost:1")
    assert not is_private("10.0.0.1:1")
    assert not is_private("example.org:1")


def test_a_server_that_is_not_there_is_named_with_what_to_do():
    with socket.socket() as taken:  # Bound and not listening: nobody answers, nobody else comes.
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with (
            Client(f"127.0.0.1:{port}") as client,
            pytest.raises(errors.UnavailableError, match=rf"127\.0\.0\.1:{port}.*clara serve"),
        ):
            client.server.version()


def test_a_server_that_is_stopped_misses_the_deadline(server):
    with Client(server.address, timeout=0.3) as client:
        client.server.version()
        server.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(errors.DeadlineExceededError, match=r"Clara\.Version in time"):
                client.server.version()
            with pytest.raises(errors.DeadlineExceededError, match=r"Pipelines\.List in time"):
                client.pipelines.list()
            hasty = Client(server.address, timeout=0.02)
            with pytest.raises(errors.DeadlineExceededError, match=r"Pipelines\.Create in time"):
                hasty.pipelines.create({"a.yaml": "x"})
            hasty.close()
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert str(client.server.version())


def wait_until_reached(client):
    deadline = time.monotonic() + 20
    while True:
        try:
            return str(client.server.version())
        except errors.UnavailableError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_client_finds_a_server_that_was_started_again(serve, server):
    with Client(server.address) as client:
        client.server.version()
        server.kill()
        with pytest.raises(errors.UnavailableError):
            client.server.version()
        port = server.address.rpartition(":")[2]
        serve("--port", port, root=server.root)
        assert wait_until_reached(client)


def test_something_else_at_the_address_is_no_server():
    with socket.create_server(("127.0.0.1", 0)) as other:
        thread = threading.Thread(target=_say_hello, args=(other,))
        thread.start()
        with (
            Client(f"127.0.0.1:{other.getsockname()[1]}", timeout=5) as client,
            pytest.raises((errors.UnavailableError, errors.DeadlineExceededError)),
        ):
            client.server.version()
        other.shutdown(socket.SHUT_RDWR)
        thread.join()


def _say_hello(other):
    try:
        while True:
            peer, _ = other.accept()
            with peer:
                peer.sendall(b"220 mail.example ready\r\n")
    except OSError:
        return


def test_a_closed_client_says_so(shared_server):
    client = Client(shared_server.address)
    client.server.version()
    client.close()
    client.close()
    with pytest.raises(errors.ClosedError, match="another one"):
        client.server.version()


def test_many_threads_may_use_one_client(client):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: str(client.server.version()), range(64)))
    assert found == ["0.1.0"] * 64


@pytest.fixture
def tokens(tmp_path):
    path = tmp_path / "tokens"
    path.write_text(TOKENS)
    path.chmod(0o600)
    return path


def test_tokens_open_what_their_role_may(serve, tokens):
    server = serve("--tokens", str(tokens))
    with Client(server.address, token="reader-0123456789") as reader:
        assert reader.pipelines.list() == []
        with pytest.raises(errors.PermissionDeniedError, match="'admin'"):
            reader.server.stop_services()
    with Client(server.address, token="master-0123456789") as master:
        master.server.stop_services()
    for token in (None, "unknown-0123456789"):
        with Client(server.address, token=token) as stranger:
            with pytest.raises(errors.UnauthenticatedError):
                stranger.server.version()
            with pytest.raises(errors.UnauthenticatedError):
                stranger.pipelines.list()


def test_a_token_does_not_travel_in_the_open():
    with pytest.raises(errors.InvalidRequestError, match="use TLS"):
        Client("10.0.0.1", token="reader-0123456789")
    Client("10.0.0.1", token="reader-0123456789", tls=Tls()).close()
    Client("10.0.0.1", token="reader-0123456789", insecure=True).close()


@pytest.fixture
def certificate(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost "
        f"-addext subjectAltName=DNS:localhost -keyout {key} -out {certificate}".split(),
        check=True,
        capture_output=True,
    )
    return key, certificate


def test_tls_is_spoken_with_who_has_the_right_certificate(serve, tokens, certificate):
    key, chain = certificate
    server = serve("--tokens", str(tokens), "--certificate", str(chain), "--key", str(key))
    port = server.address.rpartition(":")[2]
    right = Client(f"localhost:{port}", token="reader-0123456789", tls=Tls(authority=chain))
    with right as client:
        assert str(client.server.version())
    with (
        Client(f"localhost:{port}", token="reader-0123456789", tls=Tls()) as client,
        pytest.raises(errors.UnavailableError),
    ):
        client.server.version()
    with (
        Client(f"localhost:{port}", timeout=5) as client,
        pytest.raises(errors.UnavailableError, match="TLS"),
    ):
        client.server.version()


def test_files_of_tls_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(errors.SystemCallError, match=r"missing\.pem.*No such file"):
        Client("localhost", tls=Tls(authority=tmp_path / "missing.pem"))
    with pytest.raises(errors.InvalidRequestError, match="needs its key"):
        Tls(certificate=tmp_path / "certificate.pem")
