# SPDX-License-Identifier: Apache-2.0
"""Jobs on the command line, from their creation to their end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

from tests.platform.client.definitions import SHOUT


def test_a_job_is_followed_to_its_end_and_its_results_are_there(clara, pipeline):
    shown = clara(
        *("create", "job", "-n", "first", "-p", pipeline[:10], "-f", "input", "-i", "high"),
        *("--start", "--follow", "-a", "word=hark", "-m", "Ward=7"),
    )
    lines = shown.splitlines()
    job, payload = lines[0].split()[1], lines[1].split()[1]
    assert len(job) == len(payload) == 32
    assert lines[-1] == f"job {job}: completed"
    assert {"shout: completed", "repeat: completed"} <= set(lines)
    described = clara("describe", "job", "-j", job[:12])
    assert ["name", "first"] in [line.split() for line in described.splitlines()]
    assert ["priority", "higher"] in [line.split() for line in described.splitlines()]
    assert ["Ward", "7"] in [line.split() for line in described.splitlines()]
    assert clara("logs", "-j", job, "-o", "shout") == "hark\n"
    assert "starts" in clara("logs", "job", job)
    assert clara("download", f"{job[:12]}:operators/shout/loud", "-") == "SO QUIET\n"
    clara("download", f"{job[:12]}:operators")
    assert (clara.folder / "operators" / "shout" / "loud").read_text() == "SO QUIET\n"


def test_json_of_a_job_that_is_followed_is_a_line_for_each_change(clara, pipeline):
    shown = clara(
        *("create", "jobs", "-n", "second", "-p", pipeline, "-f", "input/words"),
        *("--start", "--follow", "--json"),
    )
    made, *changes = map(json.loads, shown.splitlines())
    assert {change["id"] for change in changes} == {made["id"]}
    last = changes[-1]
    assert (last["state"], last["status"]) == ("stopped", "healthy")
    assert [operator["status"] for operator in last["operators"]] == ["completed"] * 2
    assert json.loads(clara("describe", "job", made["id"], "--raw")) == last


def test_a_job_that_fails_ends_with_3_and_its_message(clara):
    (clara.folder / "fail.yaml").write_text(SHOUT.replace("cat /input/* |", "exit 3 #"))
    pipeline = clara("create", "pipeline", "fail.yaml", "-q").strip()
    done = clara.run("create", "job", "-n", "bare", "-p", pipeline, "-s", "--follow", "-q")
    assert done.returncode == 3
    assert len(done.stdout.strip()) == 32
    assert done.stderr.startswith("clara: operator 'shout' failed")


def test_a_job_that_is_canceled_ends_with_11(clara):
    pipeline = clara("create", "pipeline", "sleep.yaml", "-q").strip()
    job = clara("create", "job", "-n", "long", "-p", pipeline, "-q").strip()
    following = start_following(clara, job)
    assert following.stdout.readline() in {f"job {job}: pending\n", f"job {job}: running\n"}
    clara("cancel", "job", job[:12], "--reason", "no longer wanted")
    _, errors = following.communicate(timeout=30)
    assert following.returncode == 11
    assert "no longer wanted" in errors
    again = clara.run("start", "job", "-j", job)
    assert again.returncode == 6
    assert "cannot start again" in again.stderr


def test_ctrl_c_leaves_the_job_alone_and_says_how_to_cancel_it(clara):
    pipeline = clara("create", "pipeline", "sleep.yaml", "-q").strip()
    job = clara("create", "job", "-n", "long", "-p", pipeline, "-q").strip()
    following = start_following(clara, job)
    while "running" not in following.stdout.readline():
        pass
    following.send_signal(signal.SIGINT)
    _, errors = following.communicate(timeout=30)
    assert following.returncode == 130
    assert f"clara cancel job {job[:12]}" in errors
    assert json.loads(clara("describe", "job", job, "--json"))["state"] == "running"
    clara("cancel", "jobs", job)


def test_a_job_with_arguments_is_followed_again(clara):
    (clara.folder / "times.yaml").write_text(
        (clara.folder / "sleep.yaml").read_text() + 'parameters: {level: "1"}\n'
    )
    pipeline = clara("create", "pipeline", "times.yaml", "-q").strip()
    job = clara("create", "job", "-n", "a", "-p", pipeline, "-s", "-a", "level=2", "-q").strip()
    while json.loads(clara("describe", "job", job, "--json"))["state"] != "running":
        pass
    following = start_following(clara, job)
    assert following.stdout.readline()
    clara("cancel", "job", job)
    following.communicate(timeout=30)
    assert following.returncode == 11


def start_following(clara, job):
    return subprocess.Popen(
        [sys.executable, "-m", "clara_fastio.cli", "start", "job", job, "--follow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clara.environment,
    )


def test_jobs_are_listed_by_state_status_and_pipeline(clara, pipeline):
    one, two = (
        clara("create", "job", "-n", name, "-p", pipeline, "-q").strip() for name in ("a", "b")
    )
    assert json.loads(clara("cancel", "job", two, "--json")) == [
        {"id": two, "state": "stopped", "status": "canceled"}
    ]
    assert clara("list", "jobs", "-p", pipeline, "-q").split() == [one, two]
    assert clara("list", "job", "-p", pipeline, "-q", "--state", "pending").split() == [one]
    assert clara("list", "jobs", "-p", pipeline, "-q", "--status", "canceled").split() == [two]
    table = clara("list", "jobs", "-p", pipeline).splitlines()
    assert table[1].split() == ["ID", "NAME", "STATE", "STATUS", "PRIORITY", "CREATED", "TOOK"]
    assert table[3].split()[:4] == [two, "b", "stopped", "canceled"]
    (first, _) = json.loads(clara("list", "jobs", "-p", pipeline, "--json"))
    assert (first["id"], first["state"], first["started"]) == (one, "pending", None)
    payloads = clara("list", "payloads", "-q").split()
    assert first["payload_id"] in payloads


def test_misuse_is_told_before_anything_is_made(clara, pipeline):
    before = clara("list", "jobs", "-q")
    (clara.folder / "links").mkdir()
    (clara.folder / "links" / "elsewhere").symlink_to("..")
    for wrong, word in (
        (["-i", "urgent"], "low, normal, high or immediate"),
        (["-f", "missing"], "missing"),
        (["--follow"], "--start"),
        (["-a", "level=1"], "--start"),
        (["-m", "nothing"], "NAME=VALUE"),
        (["-f", "links"], "'links/elsewhere' is a link to a folder"),
    ):
        done = clara.run("create", "job", "-n", "x", "-p", pipeline, *wrong)
        assert done.returncode == 2
        assert word in done.stderr
    assert clara("list", "jobs", "-q") == before
