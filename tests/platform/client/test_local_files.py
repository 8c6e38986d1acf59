# SPDX-License-Identifier: Apache-2.0
"""Where downloads are written, whatever a server calls them."""

from __future__ import annotations

import pytest

from clara_fastio.errors import PlatformError, SystemCallError
from clara_fastio.platform.client.local_files import Destination


@pytest.mark.parametrize(
    "name", ["../up", "a/../../up", "/rooted", "", ".", "a//b", "a/./b", "..", "a/", "nul\0"]
)
def test_names_that_lead_elsewhere_are_refused(tmp_path, name):
    destination = Destination(tmp_path / "to")
    for use in (lambda: destination.create(name, 0), lambda: destination.size_of(name)):
        with pytest.raises(PlatformError, match="no name"):
            use()
    assert [path.name for path in tmp_path.rglob("*")] == ["to"]


def test_a_link_in_place_of_a_file_is_replaced_and_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("mine")
    destination = Destination(tmp_path / "to")
    (tmp_path / "to" / "one").symlink_to(outside)
    assert destination.size_of("one") == -1
    with destination.create("one", 0) as file:
        file.write(b"theirs")
        file.complete()
    assert outside.read_text() == "mine"
    assert (tmp_path / "to" / "one").read_text() == "theirs"
    assert not (tmp_path / "to" / "one").is_symlink()


def test_a_file_has_its_name_only_when_it_is_complete(tmp_path):
    destination = Destination(tmp_path)
    (tmp_path / "one").write_text("before")
    with destination.create("one", 0o640) as file:
        file.write(b"after")
        assert (tmp_path / "one").read_text() == "before"
        file.complete()
    assert (tmp_path / "one").read_text() == "after"
    with destination.create("two", 0) as file:
        file.write(b"half")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_what_the_system_refuses_names_the_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemCallError, match="file/below"):
        Destination(tmp_path).create("file/below", 0)
    with pytest.raises(SystemCallError, match="cannot be made"):
        Destination(tmp_path / "file" / "below")
    with pytest.raises(SystemCallError, match="too long"):
        Destination(tmp_path).create("n" * 256 + "/x", 0)
