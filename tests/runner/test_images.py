# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clara_fastio.errors import DefinitionError, PipelineError
from clara_fastio.runner import Images, load_images

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, text: str) -> Path:
    path = folder / "images.yaml"
    path.write_text(text)
    return path


def test_command_of_the_definition_is_appended_to_the_entry_point(tmp_path: Path) -> None:
    images = load_images(
        write(tmp_path, 'images: {demo/a: {command: [python, a.py], environment: {LEVEL: "3"}}}')
    )
    image = images.resolve("a", "demo/a:latest", ("--fast",))
    assert image.command == ("python", "a.py", "--fast")
    assert image.environment == {"LEVEL": "3"}
    assert image.directory == tmp_path


def test_directory_is_relative_to_the_images_file(tmp_path: Path) -> None:
    (tmp_path / "sub" / "dir").mkdir(parents=True)
    images = load_images(write(tmp_path, "images: {a: {command: [x], directory: sub/dir}}"))
    assert images.resolve("a", "a:latest", ()).directory == tmp_path / "sub" / "dir"


@pytest.mark.parametrize(
    ("key", "name", "found"),
    [
        ("demo/a", "demo/a:latest", True),
        ("demo/a:latest", "demo/a:latest", True),
        ("host:5000/a", "host:5000/a:latest", True),
        ("demo/a:1", "demo/a:2", False),
        ("demo/a", "demo/a:2", False),
    ],
)
def test_images_are_found_by_name_and_tag(tmp_path: Path, key: str, name: str, found: bool) -> None:
    images = load_images(write(tmp_path, f'images: {{"{key}": {{command: [known]}}}}'))
    assert images.resolve("a", name, ("own",)).command == (("known", "own") if found else ("own",))


def test_unknown_image_without_command_is_refused_by_name() -> None:
    with pytest.raises(PipelineError, match=r"'segment'.*'demo/x:latest'.*images file"):
        Images().resolve("segment", "demo/x:latest", ())


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("images:\n  a: {comand: [x]}", "2:7", "unknown property 'comand'"),
        ("images:\n  a:\n    command: python x.py", "3:5", "list of strings"),
        ("images:\n  a:\n    command: [x]\n    driver: maybe", "4:5", "true or false"),
        ("images:\n  a:\n    environment: [x]", "3:5", "object of strings"),
        ("images:\n  a:\n    directory: none", "3:5", "there is no folder"),
        ("images:\n  a: text", "2:3", "expected an object"),
        ("a: [", "1:5", ""),
        ("other: {}", "1:1", "expected an object 'images'"),
    ],
)
def test_mistakes_are_reported_with_their_place(
    tmp_path: Path, text: str, place: str, message: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DefinitionError) as caught:
        load_images(path)
    assert str(caught.value).startswith(f"{path}:{place}: ")
    assert message in str(caught.value)
    assert f"{caught.value.line}:{caught.value.column}" == place


def test_missing_file_is_a_definition_error(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="cannot be read"):
        load_images(tmp_path / "none.yaml")
