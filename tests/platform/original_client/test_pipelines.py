# SPDX-License-Identifier: Apache-2.0
"""PipelinesClient of the published package."""

from __future__ import annotations

import pytest

from tests.platform.client.definitions import SHOUT
from tests.platform.original_client.conftest import OriginalClientError

pytestmark = pytest.mark.timeout(300)  # The first test may have to make the environment.

#: As the published example calls its file, relative to where it runs.
FILES = [["../shouting-pipeline.yaml", SHOUT]]


def test_a_pipeline_is_created_listed_described_and_removed(original):
    made = original.pipelines.create(FILES, metadata={"Site": "north"})
    assert len(made) == 32
    assert original.pipelines.list_all()[-1] == [made, "shouting", {"Site": "north"}]
    found = original.pipelines.details(made)
    assert (found["id"], found["name"]) == (made, "shouting")
    assert found["metadata"] == {"Site": "north"}
    assert [content for _, content in found["files"]] == [SHOUT]
    original.pipelines.remove(made)
    with pytest.raises(OriginalClientError, match=made):
        original.pipelines.details(made)


def test_files_and_metadata_that_every_message_repeats_are_taken_once(original):
    one = "name: one\ncontainer: {image: a}\n"
    main = "api-version: 0.4.0\nname: split\noperators:\n- import: {path: one.yaml}\n"
    files = [["main.yaml", main], ["one.yaml", one]]
    made = original.pipelines.create(files, metadata={"a": "1"})
    assert original.pipelines.details(made)["files"] == files
    assert original.pipelines.details(made)["metadata"] == {"a": "1"}


def test_an_id_can_be_forced_for_a_single_file(original):
    assert original.pipelines.create(FILES, pipeline_id="AB" * 16) == "ab" * 16
    with pytest.raises(OriginalClientError, match="ab" * 16):
        original.pipelines.create(FILES, pipeline_id="ab" * 16)


def test_a_definition_is_updated(original):
    made = original.pipelines.create(FILES)
    original.pipelines.update(made, [["new.yaml", SHOUT.replace("shouting", "crying")]])
    assert original.pipelines.details(made)["name"] == "crying"


def test_metadata_calls_have_no_header_and_work(original):
    made = original.pipelines.create(FILES)
    assert original.pipelines.add_metadata(made, {"a": "1"}) == {"a": "1"}
    with pytest.raises(OriginalClientError, match="'A'"):
        original.pipelines.add_metadata(made, {"A": "2", "b": "3"})
    assert original.pipelines.remove_metadata(made, ["A"]) == {}


def test_what_is_wrong_is_in_the_message_line_by_line(original):
    with pytest.raises(OriginalClientError) as raised:
        original.pipelines.create([["main.yaml", SHOUT.replace("from: shout", "from: nobody")]])
    assert "\n" in str(raised.value)
    assert "main.yaml:14:18" in str(raised.value)
    assert "nobody" in str(raised.value)


def test_a_client_is_closed_and_opened_again(original):
    assert original.pipelines.reconnected() == len(original.pipelines.list_all())
