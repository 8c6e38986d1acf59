# SPDX-License-Identifier: Apache-2.0
"""Names that clients write: what is ignored, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clara_fastio.errors import InvalidRequestError
from clara_fastio.platform.payloads.names import parse_name, shown_name


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a", ("a",)),
        ("/a", ("a",)),
        ("./a", ("a",)),
        (".//./a/./b", ("a", "b")),
        ("/input/Scan 1.dcm", ("input", "Scan 1.dcm")),
        ("...", ("...",)),
        ("..a/b..", ("..a", "b..")),
        ("Größe/北京", ("Größe", "北京")),
        ("a\\..\\b", ("a\\..\\b",)),
    ],
)
def test_a_name_is_relative_to_the_payload(name, parts):
    assert parse_name(name) == parts


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        (".", "names a folder"),
        ("/", "names a folder"),
        ("a/", "names a folder"),
        ("a/.", "names a folder"),
        ("..", "leads upwards"),
        ("../a", "leads upwards"),
        ("a/../b", "leads upwards"),
        ("./../../etc/passwd", "leads upwards"),
        ("a\0b", "NUL"),
        ("a" * 256, "too long"),
        ("ä" * 128, "too long"),
        ("a/" * 1100 + "b", "too long"),
        ("\ud800", "no Unicode"),
    ],
)
def test_a_name_that_is_none_is_refused_with_the_reason(name, why):
    with pytest.raises(InvalidRequestError, match=why):
        parse_name(name)


@given(st.text(alphabet=st.sampled_from("ab./\0\\Ä "), max_size=12))
def test_no_name_leads_out(name):
    try:
        parts = parse_name(name)
    except InvalidRequestError:
        return
    assert parts
    assert not {"", ".", ".."}.intersection(parts)
    assert not any("/" in part or "\0" in part for part in parts)
    assert parse_name(shown_name(parts)) == parts
