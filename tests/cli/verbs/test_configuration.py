# SPDX-License-Identifier: Apache-2.0
"""How the command line finds its server."""

from __future__ import annotations

import json

import pytest

from tests.platform.serving import ServerProgram

NOWHERE = "127.0.0.1:1"


@pytest.fixture
def config(clara, server):
    (clara.folder / ".clara").mkdir()
    path = clara.folder / ".clara" / "config.yaml"
    path.write_text(f"host: {server.address}\ntimeout: 20\n")
    return path


def test_an_option_goes_before_the_environment_and_that_before_the_file(clara, config, server):
    listing = ("list", "pipelines", "-q")
    assert clara.run(*listing, CLARA_HOST=None).returncode == 0
    assert clara.run(*listing, CLARA_HOST=NOWHERE).returncode == 10
    assert clara.run(*listing, "--host", server.address, CLARA_HOST=NOWHERE).returncode == 0
    assert clara.run("--host", server.address, *listing, CLARA_HOST=NOWHERE).returncode == 0
    config.write_text(f"host: {NOWHERE}\n")
    done = clara.run(*listing, CLARA_HOST=None)
    assert done.returncode == 10
    assert f"the server at {NOWHERE} was not reached (" in done.stderr
    other = clara.folder / "other.yaml"
    other.write_text(f"host: {server.address}\n")
    for named in (("--config", other, *listing), (*listing, "--config", other)):
        assert clara.run(*named, CLARA_HOST=None).returncode == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("host: [1]", "host in the configuration"),
        ("timeout: soon", "a number of seconds"),
        ("tls: 1", "true or false"),
        ("hosts: a", "it may have host, token"),
        ("- host", "'name: value'"),
        ("host: 'a", "is not YAML"),
        ("authority: missing.pem", "missing.pem"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(clara, config, text, message):
    config.write_text(text)
    done = clara.run("list", "jobs", CLARA_HOST=None)
    assert done.returncode in {1, 2}
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_named_has_to_be_there(clara):
    done = clara.run("list", "jobs", "--config", "missing.yaml")
    assert done.returncode == 4
    assert "missing.yaml" in done.stderr


def test_tokens_come_from_the_file_or_the_environment(clara, config):
    tokens = clara.folder / "tokens"
    tokens.write_text("read reader-0123456789\n")
    tokens.chmod(0o600)
    guarded = ServerProgram(clara.folder / "guarded", "--tokens", str(tokens))
    try:
        config.write_text(f"host: {guarded.address}\ntoken: reader-0123456789\n")
        config.chmod(0o600)
        listing = ("list", "pipelines", "-q")
        assert clara.run(*listing, CLARA_HOST=None).returncode == 0
        wrong = clara.run(*listing, CLARA_HOST=None, CLARA_TOKEN="unknown-0123456789")
        assert wrong.returncode == 6
        assert "token is unknown" in wrong.stderr
        refused = clara.run("stop", CLARA_HOST=None)
        assert refused.returncode == 6
        config.chmod(0o644)
        assert "chmod 600" in clara.run(*listing, CLARA_HOST=None).stderr
    finally:
        guarded.stop()


def test_the_version_of_a_server_is_told_only_if_it_is_named(clara, server):
    assert len(clara("version").splitlines()) == 2
    found = json.loads(clara("version", "--host", server.address, "--json"))
    assert found[f"server {server.address}"] == "0.1.0"
    assert clara.run("version", CLARA_HOST=NOWHERE).returncode == 0


def test_services_are_stopped(clara):
    assert clara("stop") == ""


def test_ids_are_completed_from_the_server(clara):
    made = clara("create", "pipeline", "shout.yaml", "-q").strip()
    done = clara.run(
        _CLARA_COMPLETE="complete_bash",
        COMP_WORDS=f"clara describe pipeline {made[:6]}",
        COMP_CWORD="3",
    )
    assert made in done.stdout
    nobody = clara.run(
        _CLARA_COMPLETE="complete_bash",
        COMP_WORDS=f"clara describe pipeline {made[:6]}",
        COMP_CWORD="3",
        CLARA_HOST=NOWHERE,
    )
    assert (nobody.stdout.strip(), nobody.stderr) == ("", "")
