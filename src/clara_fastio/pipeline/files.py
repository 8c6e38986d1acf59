# SPDX-License-Identifier: Apache-2.0
"""The files of one definition: uploaded texts, or files beside the main one on disk."""

from __future__ import annotations

import itertools
import posixpath
import re
from typing import TYPE_CHECKING

from clara_fastio.errors import NotFoundError
from clara_fastio.pipeline.document import Position
from clara_fastio.pipeline.names import key

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from clara_fastio.pipeline.problems import Problems

#: Bytes of all files of one definition together.
MAXIMUM_BYTES = 1 << 20

_SUGGESTED = 100
_ROOTED = re.compile(r"[/\\]|[A-Za-z]:|[A-Za-z][A-Za-z0-9+.-]*://")


def is_rooted(path: str) -> bool:
    """Whether `path` says more than where a file is relative to another."""
    return _ROOTED.match(path) is not None


def relative_to(path: str, importer: str) -> str:
    """Give the name of the file that `importer` calls `path`."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), path))


class Files:
    """Finds files by name; names are not case-sensitive."""

    def __init__(self, main: str, root: Path | None = None) -> None:
        self.main = main
        self._root = root
        self._contents: dict[str, tuple[str, bytes | OSError]] = {}

    @classmethod
    def on_disk(cls, path: Path) -> Files:
        """Take the main file at `path` and whatever it imports from its folder and below.

        Raises
        ------
        NotFoundError
            There is no such file.
        """
        try:
            is_file = path.is_file()
        except OSError:
            is_file = False
        if not is_file:
            raise NotFoundError(f"there is no pipeline definition at {str(path)!r}")
        return cls(path.name, path.parent)

    @classmethod
    def uploaded(cls, parts: Iterable[tuple[str, str | bytes]], main: str | None) -> Files:
        """Take texts; parts whose names are equal but for case are one file, in their order.

        Raises
        ------
        NotFoundError
            There are no parts, or none is called `main`.
        """
        files = cls("")
        joined: dict[str, tuple[str, bytes]] = {}
        for name, content in parts:
            path = posixpath.normpath(name)
            raw = content if isinstance(content, bytes) else content.encode(errors="surrogatepass")
            spelled, before = joined.get(key(path), (path, b""))
            joined[key(path)] = (spelled, before + raw)
        files._contents.update(joined)
        if not joined:
            raise NotFoundError("a pipeline definition needs at least one file")
        wanted = next(iter(joined)) if main is None else key(posixpath.normpath(main))
        if wanted not in joined:
            raise NotFoundError(f"no file of the definition is called {main!r}")
        files.main = joined[wanted][0]
        return files

    def is_outside(self, path: str) -> bool:
        """Whether a file lies on disk, but not in the folder of the definition."""
        return self._root is not None and (path == ".." or path.startswith("../"))

    def find(self, path: str) -> str | None:
        """Give the name of a file as its owner spells it; None when there is none."""
        if key(path) not in self._contents and self._root is not None:
            self._load(path, self._root)
        found = self._contents.get(key(path))
        return found[0] if found else None

    def read(self, path: str, problems: Problems) -> str | None:
        """Give the text of a file that was found; None, with the reason, when it is unusable."""
        spelled = self.find(path)
        problems.saw(spelled or path)
        if spelled is None:
            problems.error_at(Position(path, 1, 1), "there is no such file")
            return None
        raw = self._contents[key(path)][1]
        if isinstance(raw, OSError):
            problems.error_at(
                Position(spelled, 1, 1), "the file cannot be read", found=str(raw.strerror)
            )
            return None
        if self._size() > MAXIMUM_BYTES:
            problems.error_at(
                Position(spelled, 1, 1),
                "the files of this definition are too large",
                expected=f"at most {MAXIMUM_BYTES} bytes together",
            )
            return None
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = raw[: error.start]
            line = before.count(b"\n") + 1
            column = len(before) - before.rfind(b"\n")
            problems.error_at(
                Position(spelled, line, column),
                "the file is not UTF-8",
                found=f"the byte 0x{raw[error.start]:02x}",
            )
            return None

    def texts(self) -> tuple[tuple[str, str], ...]:
        """Give the names and texts of the files that were found, the main one first."""
        texts = {
            name: content.decode("utf-8-sig")
            for name, content in self._contents.values()
            if isinstance(content, bytes)
        }
        return tuple(sorted(texts.items(), key=lambda file: key(file[0]) != key(self.main)))

    def names_beside(self, path: str) -> list[str]:
        """List files that could have been meant by `path`."""
        if self._root is None:
            return [name for name, _ in self._contents.values()]
        folder = posixpath.dirname(path)
        found = itertools.islice((self._root / folder).glob("*.y*ml"), _SUGGESTED)
        return sorted(posixpath.join(folder, other.name) for other in found)

    def _size(self) -> int:
        contents = (content for _, content in self._contents.values())
        return sum(len(content) for content in contents if not isinstance(content, OSError))

    def _load(self, path: str, root: Path) -> None:
        target = _on_disk(root, path)
        if target is None:
            return
        try:
            with target.open("rb") as file:
                # One byte more than is allowed shows that the file is too large.
                raw: bytes | OSError = file.read(MAXIMUM_BYTES + 1)
        except OSError as error:
            raw = error
        self._contents[key(path)] = (target.relative_to(root).as_posix(), raw)


def _on_disk(root: Path, path: str) -> Path | None:
    exact = root / path
    try:
        if exact.is_file():
            return exact
        found = root
        for part in path.split("/"):
            alike = sorted(entry for entry in found.iterdir() if key(entry.name) == key(part))
            if not alike:
                return None
            found = alike[0]
        return found if found.is_file() else None
    except (OSError, ValueError):  # A name that the system cannot have is no file.
        return None
