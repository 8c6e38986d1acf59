# SPDX-License-Identifier: Apache-2.0
"""The images file: which program stands behind the name of a container image."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from clara_fastio.errors import DefinitionError, PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_KEYS = {"command", "container", "directory", "environment", "driver"}


@dataclass(frozen=True, kw_only=True)
class Image:
    """What an image's name stands for.

    Parameters
    ----------
    command
        The entry point; the command of the definition is appended to it.
    container
        The container image to run, where its name is another one.
    directory
        Where it is started as a process.
    environment
        Variables that it sets; those of the definition go before them.
    driver
        Its program uses the driver, so that it may be started before its inputs are complete.
    has_entry_point
        Set by :meth:`Images.resolve`: `command` begins with an entry point from here, in place of
        the container image's own.
    """

    command: tuple[str, ...] = ()
    container: str = ""
    directory: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    driver: bool | None = None
    has_entry_point: bool = False


@dataclass(frozen=True)
class Images:
    """The known images by name and tag."""

    by_name: Mapping[str, Image] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return _with_tag(name) in self.by_name

    def only(self, names: Iterable[str]) -> Images:
        """Give those of them that are wanted."""
        wanted = {_with_tag(name) for name in names}
        return Images({name: self.by_name[name] for name in wanted if name in self.by_name})

    def resolve(
        self, operator: str, name: str, command: tuple[str, ...], *, needs_command: bool = True
    ) -> Image:
        """Give the image of an operator, with the whole command line in it.

        Raises
        ------
        PipelineError
            A command is needed, the image is unknown and the definition has none.
        """
        image = self.by_name.get(_with_tag(name), Image())
        whole = (*image.command, *command)
        if needs_command and not whole:
            raise PipelineError(
                f"operator {operator!r}: nothing is known to run for the image {name!r}; name it "
                "in the images file, or give the operator a command",
                operator=operator,
            )
        return replace(
            image,
            command=whole,
            container=image.container or name,
            has_entry_point=bool(image.command),
        )


def load_images(path: Path) -> Images:
    """Read an images file.

    Folders in it are relative to it, and an image without a folder is started in the file's own.

    Raises
    ------
    DefinitionError
        The file cannot be read or says something else; with file, line and column.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _error(path, (0, 0), f"cannot be read: {error}") from error
    try:
        document = YAML(typ="rt").load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = (mark.line, mark.column) if mark else (0, 0)
        raise _error(path, place, str(getattr(error, "problem", error))) from error
    images = document.get("images") if isinstance(document, dict) else None
    if not isinstance(images, dict):
        raise _error(path, (0, 0), "expected an object 'images' with the images by name")
    return Images(
        {_with_tag(str(name)): _read(path, images, name) for name in images},
    )


def _read(path: Path, images: Any, name: Any) -> Image:  # noqa: C901 - one check per property
    """Check one entry and turn it into an image."""
    entry = images[name]
    if not isinstance(entry, dict):
        raise _error(path, images.lc.key(name), f"image {name!r}: expected an object")

    places: Any = entry.lc  # type: ignore[attr-defined]  # It is a dictionary with positions.

    def refuse(key: str, message: str) -> DefinitionError:
        return _error(path, places.key(key), f"image {name!r}: {message}")

    for key in entry:
        if key not in _KEYS:
            raise refuse(key, f"unknown property {key!r}; known are {', '.join(sorted(_KEYS))}")
    command = entry.get("command", [])
    if not isinstance(command, list) or not all(isinstance(part, str) for part in command):
        raise refuse("command", "'command' must be a list of strings")
    environment = entry.get("environment", {})
    if not isinstance(environment, dict) or not all(
        isinstance(value, str | int | float) and not isinstance(value, bool)
        for value in environment.values()
    ):
        raise refuse("environment", "'environment' must be an object of strings")
    driver = entry.get("driver")
    if not isinstance(driver, bool | None):
        raise refuse("driver", "'driver' must be true or false")
    container, directory = entry.get("container", ""), entry.get("directory", ".")
    for key, text, what in (
        ("container", container, "the name of an image"),
        ("directory", directory, "a path"),
    ):
        if not isinstance(text, str):
            raise refuse(key, f"'{key}' must be {what}")
    folder = (path.parent / directory).resolve()
    if not folder.is_dir():
        raise refuse("directory", f"there is no folder {str(folder)!r}")
    return Image(
        command=tuple(command),
        container=container,
        directory=folder,
        environment={str(key): str(value) for key, value in environment.items()},
        driver=driver,
    )


def _with_tag(name: str) -> str:
    """Add the default tag; a colon before the last slash belongs to a registry's port."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _error(path: Path, place: tuple[int, int], message: str) -> DefinitionError:
    """Make an error from a position that counts from zero."""
    line, column = place[0] + 1, place[1] + 1
    text = f"{path}:{line}:{column}: {message}"
    return DefinitionError(text, file=str(path), line=line, column=column)
