# SPDX-License-Identifier: Apache-2.0
"""The small parent of one operator process: ``python -I -S launcher.py PLAN COMMAND...``.

It stands between the runner and the operator, so that no operator outlives its runner:

1. The runner holds the other end of `link`; the end of file there means that the runner is gone,
   and everything below this process is killed.
2. This process is a subreaper: what the operator leaves behind is adopted here and killed too.
3. The operator dies with this process by ``PR_SET_PDEATHSIG``, set by the one thread there is.

Only the standard library is imported and the interpreter starts without site-packages, because
this runs once per operator. Every line sent over `link` is a JSON object; every byte received is
a command: ``T`` ends the operator's process group politely, ``K`` kills everything.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import stat
import sys
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_RDONLY = 1
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

#: What statvfs calls a mount's flags, and what mount(2) calls them. A remount in a user namespace
#: may not drop a flag that it inherited.
KEPT_FLAGS = {
    os.ST_NOSUID: 2,
    os.ST_NODEV: 4,
    os.ST_NOEXEC: 8,
    os.ST_NOATIME: 1024,
    os.ST_NODIRATIME: 2048,
    os.ST_RELATIME: 1 << 21,
}

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    """Raise OSError for a failed call of the C library."""
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _mount(source: str, target: str, flags: int, kind: str | None = None) -> None:
    kind_text = kind.encode() if kind else None
    _check(
        _libc.mount(
            os.fsencode(source), os.fsencode(target), kind_text, ctypes.c_ulong(flags), None
        ),
        f"mounting {target}",
    )


def enter_namespace() -> None:
    """Give this process mounts of its own, with a user namespace where it has no right to."""
    if _libc.unshare(CLONE_NEWNS) != 0:
        user, group = os.geteuid(), os.getegid()
        _check(_libc.unshare(CLONE_NEWUSER | CLONE_NEWNS), "making a mount namespace")
        for name, text in (
            ("setgroups", "deny"),
            ("gid_map", f"{group} {group} 1"),
            ("uid_map", f"{user} {user} 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    _mount("none", "/", MS_REC | MS_PRIVATE)


def mount_paths(root: str, mounts: list[tuple[str, str, str]]) -> None:
    """Rebuild the tree of files below `root`, with `mounts` in it, and make it the root.

    The real root is not touched: a folder on the way to a path that does not exist is rebuilt
    in memory, and every other entry of it is bound from the real tree. What was rebuilt is
    read-only, so that nothing written there is lost unseen.

    Parameters
    ----------
    root
        An empty folder.
    mounts
        Source folder, path, and ``"r"`` or ``"rw"`` of each.
    """
    _mount("tmpfs", root, 0, "tmpfs")
    _mount("none", root, MS_UNBINDABLE)  # Else binding its parent would copy it into itself.
    wanted = sorted((os.path.realpath(path), source, mode) for source, path, mode in mounts)
    outer: dict[str, Any] = {}
    inner: list[tuple[str, str]] = []
    for path, source, _ in wanted:
        if not _insert(outer, path.strip("/").split("/"), source):
            inner.append((path, source))
    _rebuild("/", root, outer)
    for path, source in inner:
        os.makedirs(root + path, exist_ok=True)
        _mount(source, root + path, MS_BIND | MS_REC)
    for path, _, mode in wanted:
        if mode == "r":
            _make_read_only(root + path)
    _make_read_only(root)
    os.chdir(root)
    _check(_libc.pivot_root(b".", b"."), "changing the root")
    _check(_libc.umount2(b".", MNT_DETACH), "leaving the old root")
    os.chdir("/")


def _insert(tree: dict[str, Any], names: list[str], source: str) -> bool:
    """Put a path into the tree of paths; False if it lies below one that is there already."""
    if names == [""]:
        raise OSError(0, "an input or output cannot be mounted over the root")
    for name in names[:-1]:
        below = tree.setdefault(name, {})
        if isinstance(below, str):
            return False
        tree = below
    if names[-1] in tree:
        return False
    tree[names[-1]] = source
    return True


def _rebuild(real: str, new: str, tree: dict[str, Any]) -> None:
    """Fill the folder `new` with what `real` holds, and with the paths of `tree`."""
    if os.path.isdir(real):
        with os.scandir(real) as entries:
            for entry in entries:
                if entry.name not in tree:
                    _copy_entry(entry, os.path.join(new, entry.name))
    for name, below in tree.items():
        path, real_path = os.path.join(new, name), os.path.join(real, name)
        os.mkdir(path)
        if isinstance(below, str):
            _mount(below, path, MS_BIND | MS_REC)
        else:
            if os.path.isdir(real_path):
                os.chmod(path, stat.S_IMODE(os.stat(real_path).st_mode))
            _rebuild(real_path, path, below)


def _copy_entry(entry: os.DirEntry[str], path: str) -> None:
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), path)
        return
    if entry.is_dir():
        os.mkdir(path)
    else:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    _mount(entry.path, path, MS_BIND | MS_REC)


def _make_read_only(path: str) -> None:
    found = os.statvfs(path).f_flag
    kept = sum(flag for name, flag in KEPT_FLAGS.items() if found & name)
    _mount("none", path, MS_REMOUNT | MS_BIND | MS_RDONLY | kept)


class Launcher:
    """One operator, from its start until nothing of it is left."""

    def __init__(self, plan: dict[str, Any], command: list[str]) -> None:
        self._plan = plan
        self._command = command
        self._link = socket.socket(fileno=plan["link"])
        self._link.set_inheritable(False)
        self._child = 0
        self._outcome: dict[str, Any] | None = None

    def run(self) -> None:
        """Start the operator and stay until it and all that it started has ended."""
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self._child = os.fork()
        if self._child == 0:
            self._become_operator()
        for descriptor in self._plan["descriptors"]:
            os.close(descriptor)  # Else the runner would not see the operator's end of file.
        self._send({"kind": "started", "pid": self._child})
        poller = select.poll()
        poller.register(self._link, select.POLLIN)
        poller.register(wake_read, select.POLLIN)
        while self._outcome is None:
            for descriptor, _ in poller.poll():
                if descriptor == wake_read:
                    os.read(wake_read, 4096)
                    self._reap()
                else:
                    self._obey()
        self._sweep()
        self._send(self._outcome)

    def _become_operator(self) -> NoReturn:
        """Turn the forked child into the operator."""
        launcher = os.getppid()
        step = "the paths of its inputs and outputs cannot be mounted"
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            if self._plan["mounts"]:
                enter_namespace()
                mount_paths(self._plan["root"], self._plan["mounts"])
            step = f"its folder {self._plan['directory']!r} cannot be entered"
            os.chdir(self._plan["directory"])
            step = f"its program {self._command[0]!r} cannot be started"
            # After the namespaces: a change of credentials forgets it.
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != launcher:
                os._exit(1)
            os.execvp(self._command[0], self._command)
        except OSError as error:
            self._send({"kind": "error", "message": f"{step}: {error.strerror}"})
        finally:
            os._exit(127)

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # The runner is gone; the end of file tells the rest.
            self._link.sendall(json.dumps(message).encode() + b"\n")

    def _obey(self) -> None:
        try:
            orders = self._link.recv(64)
        except ConnectionError:
            orders = b""
        if self._outcome is None:  # Else it has been reaped, and the number may be another's.
            number = signal.SIGKILL if orders == b"" or b"K" in orders else signal.SIGTERM
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child, number)  # It may not have its group yet.
                os.killpg(self._child, number)
        if orders == b"":
            self._sweep()
            os._exit(1)

    def _reap(self) -> None:
        """Take the status of all children that have ended; the operator's is the outcome."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._child:
                    code = os.waitstatus_to_exitcode(status)
                    self._outcome = {"kind": "exited", "code": code, "memory": usage.ru_maxrss}

    def _sweep(self) -> None:
        """Kill what the operator left behind, until nothing below this process is alive."""
        with contextlib.suppress(ChildProcessError):
            while True:
                for pid in children_of(os.getpid()):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                os.wait4(-1, 0)


def children_of(parent: int) -> list[int]:
    """List the processes whose parent is `parent`."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                # The name of the program, in parentheses, may hold anything.
                if int(file.read().rpartition(b")")[2].split()[1]) == parent:
                    found.append(int(name))
    return found


def probe(root: str) -> None:
    """Try a mount namespace; the message on standard output says why it is refused."""
    try:
        enter_namespace()
        mount_paths(root, [])
    except OSError as error:
        print(error.strerror)  # noqa: T201 - a program of its own; the runner reads it.
        sys.exit(1)


def main() -> None:
    """Run as a program."""
    if sys.argv[1] == "--probe":
        probe(sys.argv[2])
    else:
        Launcher(json.loads(sys.argv[1]), sys.argv[2:]).run()


if __name__ == "__main__":
    main()
