# SPDX-License-Identifier: Apache-2.0
"""Work folders: made, locked, delivered, kept, and swept when their runner is gone."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clara_fastio.errors import AlreadyExistsError, PipelineError, SystemCallError
from clara_fastio.runner import RunStatus
from clara_fastio.runner.workspace import Workspace, state_folder
from tests.helpers.workshop import CLARA

if TYPE_CHECKING:
    from tests.conftest import RunProgram
    from tests.helpers.workshop import Workshop

FOREIGN = ("operators/thesis.txt", "logs/notes.txt", "job.json", "operators", "logs")

PAIR = """
    api-version: 0.4.0
    name: pair
    operators:
    - name: left
      container: {image: a, command: <left>}
      output: [{path: /out, name: table}]
    - name: right
      container: {image: a, command: <right>}
      output: [{path: /out}]
    """

#: Holds a workspace until it is killed.
HOLDER = """
    import sys
    from pathlib import Path
    from clara_fastio.runner.workspace import Workspace
    workspace = Workspace(Path(sys.argv[1]), sys.argv[2])
    (workspace.path / "data").write_text("x")
    workspace.remember(Path(sys.argv[3]))
    print("ready", flush=True)
    input()
    """


@pytest.fixture
def state(workshop: Workshop) -> Path:
    """The folder of all jobs."""
    return workshop.folder / "state" / "clara-fastio"


@pytest.fixture
def pair(workshop: Workshop) -> Workshop:
    workshop.shell("left", "echo left > /out/x; mkdir /out/deep; ln -s ../x /out/deep/link")
    workshop.shell("right", "echo right > /out/y; mkfifo /out/pipe")
    return workshop


def jobs_in(state: Path) -> list[str]:
    return sorted(path.name for path in (state / "jobs").iterdir())


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_job_works_in_a_folder_of_its_own_user_and_leaves_nothing_there(
    pair: Workshop, state: Path
) -> None:
    pair.shell("left", f"ls -ld {state}/jobs {state}/jobs/*/ > /out/x")
    result = pair.run(PAIR, output=None, keep=True)
    assert result.directory == state / "kept" / result.job_id
    lines = (result.directory / "operators" / "left" / "table" / "x").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["drwx------"] * 2
    assert lines[1].endswith(f"/jobs/{result.job_id}/")
    assert jobs_in(state) == []


def test_results_are_dropped_when_nobody_wants_them(pair: Workshop, state: Path) -> None:
    result = pair.run(PAIR, output=None)
    assert (result.status, result.directory) == (RunStatus.SUCCEEDED, None)
    assert [path.name for path in state.iterdir()] == ["jobs"]
    assert jobs_in(state) == []


def test_state_is_kept_where_the_environment_says() -> None:
    assert state_folder({"XDG_STATE_HOME": "/var/state"}) == Path("/var/state/clara-fastio")
    own = Path.home() / ".local" / "state" / "clara-fastio"
    assert state_folder({"XDG_STATE_HOME": "relative"}) == state_folder({}) == own


def test_folder_that_cannot_be_made_is_named(
    pair: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/none")
    with pytest.raises(SystemCallError, match=r"'/proc/none/.*/jobs'.*XDG_STATE_HOME"):
        pair.run(PAIR)


def test_killed_holder_is_swept_and_a_living_one_is_not(
    state: Path, workshop: Workshop, run_program: RunProgram
) -> None:
    staging = workshop.folder / "staging"
    staging.mkdir()
    holder = run_program(HOLDER, state, "one", staging)
    holder.expect("ready")
    other = Workspace(state, "two")
    other.sweep()
    assert (state / "jobs" / "one" / "data").exists()
    assert staging.exists()
    holder.kill()
    other.sweep()
    assert jobs_in(state) == ["two", "two.lock"]
    assert not staging.exists()
    other.discard()
    assert jobs_in(state) == []


def test_folder_without_a_lock_file_is_nobodys(state: Path) -> None:
    mine = Workspace(state, "mine")
    (state / "jobs" / "lost" / "deep").mkdir(parents=True)
    mine.sweep()
    assert jobs_in(state) == ["mine", "mine.lock"]
    mine.discard()


def test_results_may_lie_on_another_file_system(pair: Workshop) -> None:
    # A real one, in a mount namespace where this user may make it.
    pair.output.mkdir()
    script = 'mount -t tmpfs none "$0" && "$@" && find "$0" | sort && cat "$0"/operators/*/*/x'
    run = subprocess.run(
        [
            *("unshare", "-Urm", "sh", "-c", script, pair.output),
            *(*CLARA, "run", pair.define(PAIR), "-o", pair.output, "-q"),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    if "unshare" in run.stderr:
        pytest.skip("this machine permits no user namespace to mount another file system in")
    *found, content = run.stdout.splitlines()
    assert (content, run.stderr) == ("left", "")
    names = [str(Path(line).relative_to(pair.output)) for line in found[1:]]
    assert names == [
        *("job.json", "logs", "logs/left.log", "logs/right.log", "operators", "operators/left"),
        *("operators/left/table", "operators/left/table/deep", "operators/left/table/deep/link"),
        *("operators/left/table/x", "operators/right", "operators/right/y"),  # No pipe.
    ]


def test_earlier_results_are_replaced_as_a_whole(pair: Workshop) -> None:
    pair.run(PAIR)
    (pair.output / "mine").write_text("not a result")
    pair.shell("left", "echo new > /out/z")
    pair.run(PAIR.replace("right", "other").replace("<other>", "<left>"), overwrite=True)
    assert files_in(pair.output) == [
        *("job.json", "logs/left.log", "logs/other.log", "mine"),
        *("operators/left/table/z", "operators/other/z"),
    ]
    assert sorted(path.name for path in pair.output.iterdir()) == [
        *("job.json", "logs", "mine", "operators"),
    ]


def test_results_that_cannot_be_delivered_are_kept_and_named(pair: Workshop, state: Path) -> None:
    # Another run was faster, after this one had found the folder empty.
    pair.shell("right", f"mkdir {pair.output}/operators; echo right > /out/y")
    with pytest.raises(SystemCallError, match="already holds operators") as caught:
        pair.run(PAIR)
    (kept,) = (state / "kept").iterdir()
    assert f"they are in {str(kept)!r}" in str(caught.value)
    assert (kept / "operators" / "right" / "y").read_text() == "right\n"
    assert [path.name for path in pair.output.iterdir()] == ["operators"]


def test_output_that_cannot_be_written_is_refused_before_anything_starts(
    pair: Workshop, state: Path
) -> None:
    pair.output.mkdir()
    with pytest.raises(PipelineError, match="cannot be made: Not a directory"):
        pair.run(PAIR, output=pair.define(PAIR) / "below")
    (pair.output / "logs").mkdir()
    with pytest.raises(AlreadyExistsError, match=r"'.*output' already holds logs .*--overwrite"):
        pair.run(PAIR)
    assert not state.exists()


def test_modes_of_results_are_those_the_operator_gave(pair: Workshop) -> None:
    pair.shell("right", "echo x > /out/y; chmod 640 /out/y")
    pair.run(PAIR)
    assert stat.S_IMODE((pair.output / "operators" / "right" / "y").stat().st_mode) == 0o640
    assert os.access(pair.output / "logs" / "left.log", os.R_OK)


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_result_is_never_replaced(pair: Workshop, name: str) -> None:
    file = pair.output / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{}")
    with pytest.raises(AlreadyExistsError, match=r"is no result of a run"):
        pair.run(PAIR, overwrite=True)
    assert file.read_text() == "{}"
