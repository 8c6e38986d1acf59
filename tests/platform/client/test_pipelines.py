# SPDX-License-Identifier: Apache-2.0
"""Pipelines through the client, and the errors that it restores."""

from __future__ import annotations

import asyncio

import pytest

from clara_fastio import errors
from clara_fastio.platform import AsyncClient, PipelineInfo
from tests.platform.client.definitions import SHOUT

NOBODY = "f" * 32


def test_a_pipeline_comes_back_as_it_was_given(client):
    made = client.pipelines.create({"main.yaml": SHOUT}, metadata={"Site": "north"})
    found = client.pipelines.get(made)
    assert (found.id, found.name, found.metadata) == (made, "shouting", {"Site": "north"})
    assert [(file.path, file.content) for file in found.files] == [("main.yaml", SHOUT)]
    assert found.graph == {"shout": ("repeat",), "repeat": ()}
    listed = PipelineInfo(id=made, name="shouting", metadata={"Site": "north"})
    assert client.pipelines.list()[-1] == listed


def test_a_definition_is_read_from_disk_with_what_it_imports(client, tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "one.yaml").write_text("name: one\ncontainer: {image: a}\n")
    main = tmp_path / "pipeline.yaml"
    main.write_text(
        "api-version: 0.4.0\nname: split\noperators:\n- import: {path: parts/one.yaml}\n"
    )
    found = client.pipelines.get(client.pipelines.create(main))
    assert [file.path for file in found.files] == ["pipeline.yaml", "parts/one.yaml"]
    assert found.graph == {"one": ()}


def test_large_definitions_are_sent_and_read_in_parts(client):
    text = SHOUT + ("# äöü" + "#" * 94 + "\n") * 9_000
    (file,) = client.pipelines.get(client.pipelines.create({"main.yaml": text})).files
    assert file.content == text


def test_a_pipeline_is_replaced_and_removed(client):
    made = client.pipelines.create({"main.yaml": SHOUT}, pipeline_id="A" * 32)
    assert made == "a" * 32
    client.pipelines.update(made, {"main.yaml": SHOUT.replace("shouting", "crying")})
    assert client.pipelines.get(made).name == "crying"
    client.pipelines.remove(made)
    assert made not in [each.id for each in client.pipelines.list()]


def test_metadata_is_added_and_removed(client):
    made = client.pipelines.create({"main.yaml": SHOUT})
    assert client.pipelines.add_metadata(made, {"a": "1", "b": "2"}) == {"a": "1", "b": "2"}
    assert client.pipelines.remove_metadata(made, ["A"]) == {"b": "2"}


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        (errors.NotFoundError, lambda client: client.pipelines.get(NOBODY)),
        (errors.NotFoundError, lambda client: client.pipelines.remove(NOBODY)),
        (errors.InvalidRequestError, lambda client: client.pipelines.get("short")),
        (errors.DefinitionError, lambda client: client.pipelines.create({"a.yaml": "name: x"})),
        (errors.InvalidRequestError, lambda client: client.pipelines.create({})),
        (
            errors.AlreadyExistsError,
            lambda client: client.pipelines.create({"a.yaml": SHOUT}, metadata={"a": "", "A": ""}),
        ),
    ],
)
def test_errors_are_those_that_the_server_raised(client, kind, call):
    with pytest.raises(kind) as raised:
        call(client)
    assert type(raised.value) is kind


def test_the_async_client_does_the_same(shared_server):
    async def work():
        async with AsyncClient(shared_server.address) as client:
            made = await client.pipelines.create({"main.yaml": SHOUT})
            listed, found, version = await asyncio.gather(
                client.pipelines.list(), client.pipelines.get(made), client.server.version()
            )
            with pytest.raises(errors.NotFoundError):
                await client.pipelines.get(NOBODY)
            return made, listed, found, version

    made, listed, found, version = asyncio.run(work())
    assert listed[-1].id == made == found.id
    assert str(version) == "0.1.0"
