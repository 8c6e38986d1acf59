# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of the tests' own, from the system's binaries."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

#: Does not start as root; Debian's package makes this user.
_USER = "postgres"
_READY_WITHIN = 30.0


def binaries() -> Path:
    """Find the folder of the newest installed server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and not on_path:
        raise RuntimeError("PostgreSQL is not installed; .ci/system-packages installs it")
    return found[-1].parent if found else Path(on_path or "").parent


class PostgreSQL:
    """A cluster in a temporary folder, reached by a socket in it."""

    def __init__(self) -> None:
        self._user = pwd.getpwnam(_USER) if os.getuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        if self._user:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        self._databases: dict[Path, str] = {}
        self._log = (self.folder / "log").open("a")
        self._run("initdb", "--auth=trust", "--username=clara", "--no-sync", "data")
        self._start()

    def new_database(self) -> str:
        """Make an empty database; gives its URL."""
        name = f"clara_{uuid.uuid4().hex[:12]}"
        self._run("createdb", "--host", str(self.folder), "--username=clara", name)
        return f"postgresql+psycopg://clara@/{name}?host={self.folder}"

    def database_of(self, root: Path) -> str:
        """Give the URL of the database that belongs to a folder."""
        if root not in self._databases:
            self._databases[root] = self.new_database()
        return self._databases[root]

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT cuts connections, SIGQUIT is a crash."""
        self._server.send_signal(how)
        self._server.wait(20)

    def restart(self) -> None:
        """Start it again after :meth:`stop`."""
        self._start()

    def remove(self) -> None:
        """End it for good."""
        if self._server.poll() is None:
            self.stop()
        self._log.close()
        shutil.rmtree(self.folder)

    def _start(self) -> None:
        self._server = subprocess.Popen(
            [binaries() / "postgres", "-D", "data", "-k", self.folder, "-h", "", "-c", "fsync=off"],
            **self._settings(),
        )
        deadline = time.monotonic() + _READY_WITHIN
        ask = [binaries() / "pg_isready", "--quiet", "--host", self.folder]
        while subprocess.run(ask, check=False).returncode != 0:
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.05)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run([binaries() / program, *arguments], check=True, **self._settings())

    def _settings(self) -> dict:
        settings = {"cwd": self.folder, "stdout": self._log, "stderr": self._log}
        if self._user:
            settings |= {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        return settings
