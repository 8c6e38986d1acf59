# SPDX-License-Identifier: Apache-2.0
"""Where jobs work: one folder each, locked while its runner lives, swept when it does not."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from clara_fastio.errors import PipelineError, SystemCallError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOCK = ".lock"
_LONGEST_PATH = 1 << 16


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Give the folder for what must survive a program, but not for ever.

    Raises
    ------
    PipelineError
        Neither the environment nor the system names a home.
    """
    given = environment.get("XDG_STATE_HOME", "")
    if given.startswith("/"):  # The specification ignores a relative one.
        return Path(given) / "clara-fastio"
    try:
        return Path.home() / ".local" / "state" / "clara-fastio"
    except RuntimeError as error:
        raise PipelineError("this user has no home folder; set XDG_STATE_HOME") from error


class Workspace:
    """The work folder of one job.

    A lock file beside the folder is made before it and removed after it, and the lock on it dies
    with this process: a folder whose lock is free, or not there, belongs to nobody.

    Lifetime: until :meth:`discard` or :meth:`keep`.

    Parameters
    ----------
    state
        The folder of all jobs of this user.
    job_id
        Name of the folder.

    Raises
    ------
    SystemCallError
        The folder cannot be made or locked.
    """

    def __init__(self, state: Path, job_id: str) -> None:
        self._jobs = state / "jobs"
        #: Where :meth:`keep` moves it.
        self.kept = state / "kept" / job_id
        self.path = self._jobs / job_id
        self._lock_path = self._jobs / f"{job_id}{_LOCK}"
        try:
            self._jobs.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _hold(self._lock_path)
            self.path.mkdir(mode=0o700)
        except OSError as error:
            raise SystemCallError(
                f"jobs cannot work in {str(self._jobs)!r}: {error.strerror}; another folder can be "
                "named by XDG_STATE_HOME",
                errno=error.errno or 0,
            ) from error

    def remember(self, staging: Path) -> None:
        """Let a sweep also remove `staging`, should this process not come to it."""
        os.pwrite(self._lock, os.fsencode(staging), 0)

    def keep(self) -> Path:
        """Move the folder to where no sweep looks; gives its new place."""
        self.kept.parent.mkdir(mode=0o700, exist_ok=True)
        self.path.rename(self.kept)
        self._release()
        return self.kept

    def discard(self) -> None:
        """Remove the folder; twice is fine."""
        if self._lock >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            self._release()

    def sweep(self) -> None:
        """Remove what jobs have left whose runners were killed."""
        for job_id in {path.name.removesuffix(_LOCK) for path in self._jobs.iterdir()}:
            with contextlib.suppress(OSError):  # Another sweep is at it, or it is not ours.
                self._sweep(job_id)

    def _sweep(self, job_id: str) -> None:
        # Made if it is not there: then the folder beside it is nobody's, for the lock comes first.
        lock_path = self._jobs / f"{job_id}{_LOCK}"
        lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if staging := os.fsdecode(os.pread(lock, _LONGEST_PATH, 0)):
                shutil.rmtree(staging, ignore_errors=True)
            shutil.rmtree(self._jobs / job_id, ignore_errors=True)
            lock_path.unlink(missing_ok=True)
        finally:
            os.close(lock)

    def _release(self) -> None:
        self._lock_path.unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = -1


def _hold(path: Path) -> int:
    """Make a lock file and hold it; gives its descriptor."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:
            os.close(lock)
            raise
        if os.fstat(lock).st_nlink:
            return lock
        os.close(lock)  # A sweep was faster, and has removed it.
