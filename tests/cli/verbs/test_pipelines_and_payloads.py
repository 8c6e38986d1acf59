# SPDX-License-Identifier: Apache-2.0
"""Pipelines and payloads on the command line, and the ids that name them."""

from __future__ import annotations

import json


def test_a_pipeline_is_created_listed_described_and_deleted(clara):
    (clara.folder / "parts").mkdir()
    (clara.folder / "parts" / "one.yaml").write_text("name: one\ncontainer: {image: a}\n")
    (clara.folder / "main.yaml").write_text(
        "api-version: 0.4.0\nname: split\noperators:\n- import: {path: parts/one.yaml}\n"
    )
    shown = clara("create", "pipelines", "-p", "main.yaml", "-m", "Site=north")
    made = shown.split()[1]
    assert made in clara("list", "pipelines")
    assert made in clara("list", "pipeline", "--quiet").split()
    described = clara("describe", "pipeline", "-p", made[:12], "--files")
    for text in ("split", "main.yaml, parts/one.yaml", "Site", "image: a"):
        assert text in described
    found = json.loads(clara("describe", "pipeline", made, "--json"))
    assert found["graph"] == {"one": []}
    assert clara("delete", "pipelines", made[:12]).strip() == made
    assert made not in clara("list", "pipelines", "-q").split()


def test_a_wrong_definition_is_told_with_the_path_that_can_be_opened(clara):
    (clara.folder / "deep").mkdir()
    (clara.folder / "deep" / "bad.yaml").write_text("api-version: 0.4.0\nname: bad\n")
    done = clara.run("create", "pipeline", "deep/bad.yaml")
    assert done.returncode == 2
    assert "\n  deep/bad.yaml:1:1: " in done.stderr
    assert "Traceback" not in done.stderr


def test_ids_may_be_shortened_as_long_as_one_alone_fits(clara):
    for number in range(3):
        clara("create", "pipeline", "shout.yaml", "--id", f"abc{number}" + "0" * 28)
    assert json.loads(clara("describe", "pipeline", "ABC1", "--json"))["id"].startswith("abc1")
    many = clara.run("describe", "pipeline", "abc")
    assert many.returncode == 2
    assert "abc0" + "0" * 28 + "  shouting" in many.stderr
    none = clara.run("describe", "pipeline", "abcdef")
    assert none.returncode == 4
    assert "begins with 'abcdef'" in none.stderr
    for wrong in ("xyz", "", "a" * 33):
        assert clara.run("delete", "pipeline", wrong).returncode == 2
    # Nothing is deleted unless all are known.
    assert clara.run("delete", "pipeline", "abc0", "abcdef").returncode == 4
    assert clara("delete", "pipeline", "abc0", "abc1", "abc2").split() == [
        f"abc{number}" + "0" * 28 for number in range(3)
    ]


def test_a_reusable_payload_is_made_filled_and_emptied(clara):
    made = clara("create", "payload", "-f", "input", "-m", "Study=7", "-q").strip()
    (clara.folder / "more").mkdir()
    (clara.folder / "more" / "empty").write_text("")
    clara("upload", "payload", made, "more", "shout.yaml")
    described = clara("describe", "payload", made)
    for text in ("reusable", "Study", "words", "empty", "shout.yaml"):
        assert text in described
    assert clara("delete", "payload", f"{made}:empty").strip() == f"{made}:empty"
    found = json.loads(clara("describe", "payloads", "-p", made, "--json"))
    assert [file["name"] for file in found["files"]] == ["shout.yaml", "words"]
    assert clara("delete", "payload", made).strip() == made
    assert clara.run("describe", "payload", made).returncode == 4


def test_files_that_would_take_each_others_place_are_not_sent(clara, pipeline):
    for folder, content in (("first", "1"), ("second", "2")):
        (clara.folder / folder).mkdir()
        (clara.folder / folder / "scan").write_text(content)
    payload = clara("create", "payload", "-q").strip()
    jobs = clara("list", "jobs", "-q")
    for command in (
        ("upload", payload, "first", "second"),
        ("create", "payload", "-f", "first", "-f", "second/scan"),
        ("create", "job", "-n", "x", "-p", pipeline, "-f", "first/scan", "-f", "second"),
    ):
        done = clara.run(*command)
        assert done.returncode == 5
        assert "'first/scan' and 'second/scan' would both be 'scan'" in done.stderr
        assert not done.stdout
    assert clara("list", "jobs", "-q") == jobs
    assert json.loads(clara("describe", "payload", payload, "--json"))["files"] == []
    clara("upload", payload, "first", "first/scan")


def test_a_pipeline_that_is_not_named_is_asked_for(clara):
    done = clara.run("create", "pipeline")
    assert done.returncode == 2
    assert "give the file of one definition" in done.stderr


def test_a_reusable_payload_is_the_input_of_a_job(clara, pipeline):
    payload = clara("create", "payload", "-f", "input", "-q").strip()
    made = clara("create", "job", "-n", "x", "-p", pipeline, "--payload", payload, "--json")
    job = json.loads(made)["id"]
    assert "input/words" in clara("describe", "payload", job[:12])
    clara("upload", job, "shout.yaml")
    assert "input/shout.yaml" in clara("describe", "payload", job)


def test_a_download_is_refused_resumed_or_overwritten(clara):
    payload = clara("create", "payload", "-f", "input", "-q").strip()
    clara("download", payload, "out")
    refused = clara.run("download", payload, "out")
    assert refused.returncode == 5
    assert "out/words" in refused.stderr
    (clara.folder / "out" / "words").write_text("SO quiet\n")
    kept = json.loads(clara("download", payload, "out", "--resume", "--json"))
    assert [file["name"] for file in kept["kept"]] == ["words"]
    assert (clara.folder / "out" / "words").read_text() == "SO quiet\n"
    moved = json.loads(clara("download", "payload", payload, "out", "--overwrite", "--json"))
    assert [file["name"] for file in moved["moved"]] == ["words"]
    assert (clara.folder / "out" / "words").read_text() == "so quiet\n"


def test_only_one_file_goes_to_the_standard_output(clara):
    payload = clara("create", "payload", "-f", "input", "-q").strip()
    assert clara("download", f"{payload}:words", "-") == "so quiet\n"
    done = clara.run("download", payload, "-")
    assert (done.returncode, done.stdout) == (2, "")
    assert "name one file" in done.stderr


def test_an_upload_is_resumed(clara):
    payload = clara("create", "payload", "-f", "input", "-q").strip()
    (clara.folder / "input" / "second").write_text("2")
    done = json.loads(clara("upload", payload, "input", "--resume", "--json"))
    assert [file["name"] for file in done["moved"]] == ["second"]
    assert [file["name"] for file in done["kept"]] == ["words"]


def test_transfers_are_silent_in_a_pipe(clara):
    payload = clara("create", "payload", "-q").strip()
    assert clara("upload", payload, "input") == ""
    assert clara("download", payload, "out") == ""
