# SPDX-License-Identifier: Apache-2.0
"""Who may reach a server, and what a token allows."""

from __future__ import annotations

import subprocess

import grpc
import pytest

from clara_fastio.platform._proto import clara_pb2, pipelines_pb2
from tests.platform.serving import Wire

READ, SUBMIT, ADMIN = "reader-0123456789", "submitter-0123456789", "admin-0123456789"


@pytest.fixture
def tokens(tmp_path):
    """Write a token for each role."""
    path = tmp_path / "tokens"
    path.write_text(f"# who\nread {READ}\nsubmit {SUBMIT} # the scanner\n\nadmin {ADMIN}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def certificate(tmp_path):
    """Make a certificate for this machine, and its key."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    subprocess.run(
        [*command.split(), "-addext", names, "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    return certificate, key


def bearer(token):
    return (("authorization", f"Bearer {token}"),)


def calls(wire):
    """Say what answers a call for each role."""
    return [
        wire.Clara.Version(clara_pb2.ClaraVersionRequest()).header.code,
        wire.Pipelines.Create([]).header.code,
        wire.Clara.Stop(clara_pb2.ClaraStopRequest()).header.code,
    ]


@pytest.mark.parametrize(
    ("token", "expected"),
    [(READ, [0, -7, -7]), (SUBMIT, [0, -3, -7]), (ADMIN, [0, -3, 0]), ("wrong", [-16, -16, -16])],
)
def test_a_token_allows_what_its_role_says(serve, tokens, token, expected):
    with serve("--tokens", str(tokens)).connect() as channel:
        assert calls(Wire(channel, bearer(token))) == expected


def test_a_call_without_a_token_is_told_how_to_send_one(serve, tokens):
    with serve("--tokens", str(tokens)).connect() as channel:
        answer = Wire(channel).Pipelines.List()[0]
    assert answer.header.code == -16
    assert "authorization: Bearer" in answer.header.messages[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no token"),
        ("read short", "16 are the least"),
        ("owner 0123456789abcdef", "is not 'read|submit|admin TOKEN'"),
        ("read one two", "is not 'read|submit|admin TOKEN'"),
    ],
)
def test_a_wrong_file_of_tokens_is_refused(serve, tokens, text, message):
    tokens.write_text(text)
    with pytest.raises(RuntimeError) as caught:
        serve("--tokens", str(tokens))
    assert message in str(caught.value)


def test_tokens_that_others_can_read_are_refused(serve, tokens):
    tokens.chmod(0o644)
    with pytest.raises(RuntimeError, match="others may read the tokens"):
        serve("--tokens", str(tokens))


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_server_that_others_reach_needs_tls_and_tokens(serve, host):
    with pytest.raises(RuntimeError, match="is reached from other machines"):
        serve("--host", host)


def test_tokens_alone_are_not_enough_for_the_world(serve, tokens):
    with pytest.raises(RuntimeError, match="give a certificate"):
        serve("--host", "0.0.0.0", "--tokens", str(tokens))


def test_a_server_may_be_told_to_be_insecure(serve):
    server = serve("--host", "0.0.0.0", "--insecure")
    port = server.address.rpartition(":")[2]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert Wire(channel).Pipelines.List()[0].header.code == 0


def test_tls_and_tokens_open_a_server_to_the_world(serve, tokens, certificate):
    options = ("--certificate", str(certificate[0]), "--key", str(certificate[1]))
    server = serve("--host", "0.0.0.0", "--tokens", str(tokens), *options)
    target = f"localhost:{server.address.rpartition(':')[2]}"
    trusted = grpc.ssl_channel_credentials(certificate[0].read_bytes())
    with grpc.secure_channel(target, trusted) as channel:
        assert Wire(channel, bearer(READ)).Pipelines.List()[0].header.code == 0
    with grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError) as caught:
        Wire(channel, bearer(READ)).Pipelines.List(timeout=5)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_clients_can_be_asked_for_a_certificate(serve, certificate):
    pem, key = certificate
    options = ("--certificate", pem, "--key", key, "--client-certificates", pem)
    server = serve("--host", "0.0.0.0", *map(str, options))
    target = f"localhost:{server.address.rpartition(':')[2]}"
    known = grpc.ssl_channel_credentials(pem.read_bytes(), key.read_bytes(), pem.read_bytes())
    with grpc.secure_channel(target, known) as channel:
        assert Wire(channel).Pipelines.List()[0].header.code == 0
    unknown = grpc.ssl_channel_credentials(pem.read_bytes())
    with grpc.secure_channel(target, unknown) as channel, pytest.raises(grpc.RpcError) as caught:
        Wire(channel).Pipelines.List(pipelines_pb2.PipelinesListRequest(), timeout=5)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--certificate", "KEY", "--key", "CERTIFICATE"), "cannot be used together"),
        (("--certificate", "CERTIFICATE", "--key", "OTHER"), "key values mismatch"),
        (("--certificate", "CERTIFICATE", "--key", "LOCKED"), "unencrypted"),
        (
            ("--certificate", "CERTIFICATE", "--key", "KEY", "--client-certificates", "KEY"),
            "is no certificate in PEM",
        ),
    ],
)
def test_certificates_that_cannot_be_used_are_named(serve, certificate, tmp_path, options, message):
    files = {"CERTIFICATE": certificate[0], "KEY": certificate[1]}
    for name, lock in (("OTHER", ()), ("LOCKED", ("-aes256", "-passout", "pass:secret"))):
        files[name] = tmp_path / name
        subprocess.run(
            ["openssl", "genrsa", "-out", files[name], *lock, "2048"],
            check=True,
            capture_output=True,
        )
    with pytest.raises(RuntimeError) as caught:
        serve(*(str(files.get(option, option)) for option in options))
    assert message in str(caught.value)
    assert "is the port taken" not in str(caught.value)
