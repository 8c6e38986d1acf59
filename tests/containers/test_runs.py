# SPDX-License-Identifier: Apache-2.0
"""What an operator in a container sees, and how its end is judged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clara_fastio.errors import PipelineError
from clara_fastio.runner import RunStatus

if TYPE_CHECKING:
    from tests.containers.conftest import ContainerWorkshop

ONE = """
    api-version: 0.4.0
    name: one
    operators:
    - name: only
      container: {image: <image>, command: <work>}
"""


def test_folders_are_at_the_declared_paths(workshop: ContainerWorkshop) -> None:
    scans = workshop.folder / "the, scans"
    scans.mkdir()
    (scans / "scan").write_text("a scan\n")
    workshop.shell(
        "copy",
        """
        tr a-z A-Z < /data/in/scan > /data/out/loud
        touch /data/in/more 2> /data/out/refusal
        env > /data/out/environment
        """,
    )
    workshop.shell("look", "cat /in/loud; id > /deep/er/out/id")
    result = workshop.run(
        """
        api-version: 0.4.0
        name: disk
        operators:
        - name: copy
          container: {image: <image>, command: <copy>}
          variables: {SECRET: "a b\\nc", PATH: "/usr/bin:/bin", OF_JOB: "$(NVIDIA_CLARA_JOBNAME)"}
          input: [{name: scans, path: /data/in}]
          output: [{name: copies, path: /data/out}]
        - name: look
          container: {image: <image>, command: <look>}
          input: [{from: copy, name: copies, path: /in}]
          output: [{path: /deep/er/out}]
        """,
        input=scans,
    )
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert "Read-only file system" in workshop.result("copy", "copies", "refusal")
    assert workshop.log("look") == "A SCAN\n"
    assert [path.name for path in scans.iterdir()] == ["scan"]
    environment = workshop.result("copy", "copies", "environment")
    assert "SECRET=a b\nc\n" in environment
    assert "PATH=/usr/bin:/bin\n" in environment
    assert "NVIDIA_CLARA_INPUTPATHS=scans:/data/in\n" in environment
    assert "NVIDIA_CLARA_OUTPUTPATHS=copies:/data/out\n" in environment
    assert "CLARA_FASTIO_SOCKET=path:/run/clara-fastio/memory\n" in environment
    assert "XDG_STATE_HOME" not in environment
    made = workshop.output / "operators" / "look" / "id"
    assert (made.stat().st_uid, made.stat().st_gid) == (os.geteuid(), os.getegid())


def test_paths_may_lie_in_each_other(workshop: ContainerWorkshop) -> None:
    workshop.shell("work", "ls /data; echo x > /data/results/file")
    result = workshop.run(
        """
        api-version: 0.4.0
        name: nested
        operators:
        - name: only
          container: {image: <image>, command: <work>}
          input: [{path: /data}]
          output: [{name: results, path: /data/results}]
        """
    )
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.log("only") == "results\n"
    assert workshop.result("only", "results", "file") == "x\n"


def test_requests_are_limits_and_there_are_no_capabilities(workshop: ContainerWorkshop) -> None:
    workshop.program(
        "work",
        """
        from pathlib import Path
        folder = Path("/sys/fs/cgroup")
        for name in ("memory.max", "memory/memory.limit_in_bytes"):
            if (folder / name).exists():
                print(int((folder / name).read_text()) // 1_000_000)
        for name in ("cpu.max", "cpu/cpu.cfs_quota_us"):
            if (folder / name).exists():
                print((folder / name).read_text().split()[0])
        print(*(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines()
                if line.startswith("CapEff")))
        """,
    )
    limited = ONE.replace(
        "command: <work>}", "command: <work>}\n      requests: {cpu: 1, memory: 99}"
    )
    result = workshop.run(limited)
    assert result.status is RunStatus.SUCCEEDED, workshop.log("only")
    memory, cores, capabilities = workshop.log("only").split()
    assert 98 <= int(memory) <= 99
    assert int(cores) == 100_000
    assert int(capabilities, 16) == 0


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("exit 3", 3, "the container exited with code 3"),
        ("kill -SEGV $$", -11, "the container was killed by SIGSEGV"),
    ],
)
def test_an_exit_is_judged_as_of_a_process(
    workshop: ContainerWorkshop, script: str, code: int, words: str
) -> None:
    workshop.shell("work", f"echo last words; {script}")
    result = workshop.run(ONE)
    assert result.status is RunStatus.FAILED
    assert (result.failure.phase, result.failure.message) == ("execute", words)
    assert result.failure.output == "last words"
    assert result.operators[0].exit_code == code


def test_who_needs_more_memory_than_requested_fails(workshop: ContainerWorkshop) -> None:
    workshop.program(
        "work", "block = bytearray(200_000_000); block[::4096] = b'x' * len(block[::4096])"
    )
    limited = ONE.replace("command: <work>}", "command: <work>}\n      requests: {memory: 64}")
    result = workshop.run(limited)
    assert result.status is RunStatus.FAILED
    assert "killed by SIGKILL" in result.failure.message
    assert "needed more memory than the 64 MB" in result.failure.message
    assert not (Path.cwd() / "oom").exists()


def test_a_program_that_is_not_there_fails(workshop: ContainerWorkshop) -> None:
    result = workshop.run(ONE.replace("<work>", '["no-such-program"]'))
    assert result.status is RunStatus.FAILED
    assert "no-such-program" in result.failure.output or "No such file" in result.failure.output


def test_what_the_engine_refuses_is_a_failure_to_start(workshop: ContainerWorkshop) -> None:
    result = workshop.run(
        ONE.replace("command: <work>}", 'command: ["true"]}\n      output: [{path: "/proc/self"}]')
    )
    assert result.status is RunStatus.FAILED
    assert result.failure.phase == "starting"
    assert result.failure.output


def test_an_image_that_is_not_there_refuses_the_job(workshop: ContainerWorkshop) -> None:
    with pytest.raises(PipelineError, match=r"lacks an image.*no/such:image"):
        workshop.run(ONE.replace("<image>", "'no/such:image'").replace("<work>", '["true"]'))
    assert workshop.events == []


def test_the_images_file_may_change_image_and_entry_point(workshop: ContainerWorkshop) -> None:
    (workshop.folder / "images.yaml").write_text(
        """
        images:
          my/name:
            container: localhost/clara-fastio/operators
            command: ["sh", "-c", 'echo "$GREETING $0 $(pwd)"']
            environment: {GREETING: hello}
        """
    )
    definition = workshop.define(ONE.replace("<image>", "my/name").replace("<work>", '["there"]'))
    done = workshop.clara(
        *("run", definition, "--images", workshop.folder / "images.yaml"),
        *("--runtime", workshop.engine, "--output", workshop.output),
    )
    assert done.returncode == 0, done.stderr
    assert workshop.log("only") == "hello there /opt/operators\n"
