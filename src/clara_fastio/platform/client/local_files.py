# SPDX-License-Identifier: Apache-2.0
"""Files of this machine: what is to be uploaded, and where downloads go.

Blocks; called in threads.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from clara_fastio.errors import InvalidRequestError, NotFoundError, PlatformError, SystemCallError
from clara_fastio.platform.client.models import PayloadFile

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PERMISSIONS = 0o777


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Turn what the system refuses into an error that names the file."""
    try:
        yield
    except OSError as error:
        raise SystemCallError(f"{what}: {error.strerror}", errno=error.errno or 0) from error


def find_sources(path: Path) -> dict[Path, PayloadFile]:
    """Find what is to be uploaded: a file by its own name, or the files in a folder and below.

    Raises
    ------
    NotFoundError
        There is nothing at that path.
    InvalidRequestError
        Something there is neither a file nor a folder, or has a name that is no text.
    """
    if not path.exists():
        raise NotFoundError(f"there is no file and no folder at {str(path)!r}")
    if not path.is_dir():
        return {path: _describe(path, path.name)}
    found = {}
    with told(f"the folder {str(path)!r} cannot be read"):
        for folder, folders, names in os.walk(path, onerror=_raise):
            folders.sort()
            for name in [*sorted(names), *(each for each in folders if _is_link(folder, each))]:
                each = Path(folder, name)
                found[each] = _describe(each, each.relative_to(path).as_posix())
    return found


def _raise(error: OSError) -> None:
    raise error


def _is_link(folder: str, name: str) -> bool:
    return Path(folder, name).is_symlink()


def _describe(path: Path, name: str) -> PayloadFile:
    with told(f"{str(path)!r} cannot be read"):
        status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        what = "a link to a folder" if path.is_dir() else "not a file"
        raise InvalidRequestError(
            f"{str(path)!r} is {what}; a payload holds files only, so leave it out, or send what "
            "it stands for"
        )
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequestError(
            f"the name of {str(path)!r} is not UTF-8, which those in a payload are; rename it"
        ) from error
    return PayloadFile(name=name, size=status.st_size, mode=status.st_mode & _PERMISSIONS)


class Destination:
    """A folder that downloads go to, and never out of it.

    Parameters
    ----------
    path
        Made with all above it where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with told(f"the folder {str(path)!r} cannot be made"):
            path.mkdir(parents=True, exist_ok=True)

    def size_of(self, name: str) -> int | None:
        """Give the bytes of a file that is there; -1 for what is no file, none for nothing."""
        try:
            status = self.path.joinpath(*checked(name)).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else -1

    def create(self, name: str, mode: int) -> NewFile:
        """Begin a file, in folders that are made and of which none is a link."""
        *folders, last = checked(name)
        with told(f"{name!r} cannot be written below {str(self.path)!r}"):
            folder = os.open(self.path, _FOLDER & ~os.O_NOFOLLOW)
            try:
                for each in folders:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(each, dir_fd=folder)
                    above, folder = folder, os.open(each, _FOLDER, dir_fd=folder)
                    os.close(above)
                return NewFile(folder, last, mode)
            except BaseException:
                os.close(folder)
                raise


class NewFile:
    """A file that gets its name when it is complete; it owns the descriptor of its folder.

    Parameters
    ----------
    folder
        Descriptor of its folder.
    name
        What it will be called; what is called so until then stays.
    mode
        Its permissions, less what the process's mask forbids; 0 for the usual ones.
    """

    def __init__(self, folder: int, name: str, mode: int) -> None:
        self._folder = folder
        self._name = name
        self._temporary = f".clara-{secrets.token_hex(8)}.part"
        permissions = mode & _PERMISSIONS | 0o600 if mode else 0o666
        self._file = os.open(self._temporary, _NEW, permissions, dir_fd=folder)
        self._is_complete = False
        # A cancelled transfer leaves while a thread may still write.
        self._writing = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def write(self, data: bytes) -> None:
        """Append."""
        with told(f"{self._name!r} cannot be written"), self._writing:
            view = memoryview(data)
            while view and self._file >= 0:
                view = view[os.write(self._file, view) :]

    def complete(self) -> None:
        """Give it its name."""
        with told(f"{self._name!r} cannot be written"):
            os.rename(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._is_complete = True

    def __exit__(self, *_error: object) -> None:
        with self._writing:
            file, self._file = self._file, -1
        os.close(file)
        if not self._is_complete:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary, dir_fd=self._folder)
        os.close(self._folder)


def checked(name: str) -> list[str]:
    """Split a name that a server gave, and trust none of it.

    Raises
    ------
    PlatformError
        It leads out of the folder that it is relative to.
    """
    parts = name.split("/")
    if any(part in {"", ".", ".."} or "\0" in part for part in parts):
        raise PlatformError(f"the server has a file called {name!r}; that is no name for one here")
    return parts
