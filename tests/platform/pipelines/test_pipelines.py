# SPDX-License-Identifier: Apache-2.0
"""The service Pipelines, through the wire."""

from __future__ import annotations

import pytest

from clara_fastio.platform._proto import clara_pb2, common_pb2, pipelines_pb2
from clara_fastio.platform.wire.methods import METHODS

TEXT = """\
api-version: 0.4.0
name: copying
operators:
- name: first
  container: {image: demo/copy}
  output: [{path: /output}]
- name: second
  container: {image: demo/copy}
  input: [{from: first, path: /input}]
  output: [{path: /output}]
- name: third
  container: {image: demo/copy}
  input: [{from: first, path: /one}, {from: second, path: /two}]
"""


def part(content, path="main.yaml", metadata=None, **fields):
    definition = pipelines_pb2.PipelineDefinitionFile(path=path, content=content)
    return pipelines_pb2.PipelinesCreateRequest(
        definition=definition, metadata=metadata or {}, **fields
    )


def create(wire, *parts):
    answer = wire.Pipelines.Create(parts or [part(TEXT)])
    assert answer.header.code == 0, answer.header.messages
    return answer.pipeline_id


def details(wire, pipeline_id):
    return wire.Pipelines.Details(pipelines_pb2.PipelinesDetailsRequest(pipeline_id=pipeline_id))


def listed(wire):
    answers = [answer.details.pipeline_id.value for answer in wire.Pipelines.List()]
    return [each for each in answers if each]


def names(nodes):
    return {node.name: names(node.next) for node in nodes}


def test_a_pipeline_is_kept_and_described(wire):
    made = create(wire, part(TEXT, metadata={"Site": "north"}))
    assert len(made.value) == 32
    (answer,) = details(wire, made)
    assert answer.header.code == 0
    assert answer.pipeline_id == made
    assert answer.name == "copying"
    assert (answer.definition.path, answer.definition.content) == ("main.yaml", TEXT)
    assert names(answer.dag) == {"first": {"second": {"third": {}}, "third": {}}}
    assert dict(answer.metadata) == {"Site": "north"}


def test_parts_of_one_file_are_joined_without_regard_to_case(wire):
    made = create(wire, part(TEXT[:50], "Main.yaml"), part(TEXT[50:], "main.YAML"))
    (answer,) = details(wire, made)
    assert (answer.definition.path, answer.definition.content) == ("Main.yaml", TEXT)


def test_a_large_file_comes_back_in_parts(wire):
    text = TEXT + ("#" * 99 + "\n") * 9_000
    answers = details(wire, create(wire, part(text)))
    assert len(answers) > 1
    assert "".join(answer.definition.content for answer in answers) == text
    assert {answer.definition.path for answer in answers} == {"main.yaml"}


def test_what_is_wrong_with_a_definition_is_told_with_its_place(wire):
    answer = wire.Pipelines.Create([part(TEXT.replace("from: first", "from: nobody"))])
    assert answer.header.code == -3
    assert any("main.yaml:9" in message for message in answer.header.messages)
    assert listed(wire) == []


OUTSIDE = [
    *("a/../../x.yaml", "..", "../..", "/x.yaml", "a/", "a\0.yaml"),
    *(r"..\x.yaml", r"a\..\x.yaml", r"\x.yaml", "C:x.yaml", "file://x.yaml"),
]


@pytest.mark.parametrize("rpc", ["Create", "Update"])
def test_paths_that_lead_out_of_the_folder_are_refused(wire, rpc):
    """Who writes the files of Details into a folder must not be led out of it."""
    made = create(wire)
    kind = getattr(pipelines_pb2, f"Pipelines{rpc}Request")
    fields = {"pipeline_id": made} if rpc == "Update" else {}
    for path in OUTSIDE:
        definition = pipelines_pb2.PipelineDefinitionFile(path=path, content=TEXT)
        answer = getattr(wire.Pipelines, rpc)([kind(definition=definition, **fields)])
        assert answer.header.code == -3, path
        assert repr(path) in answer.header.messages[0]
    assert listed(wire) == [made.value]
    assert details(wire, made)[0].definition.path == "main.yaml"


def test_files_beside_the_main_one_are_in_its_folder_wherever_the_client_runs(wire):
    main = "api-version: 0.4.0\nname: split\noperators:\n- import: {path: lib/one.yaml}\n"
    one = "name: one\ncontainer: {image: a}\n"
    made = create(wire, part(main, "../../main.yaml"), part(one, "../../lib/one.yaml"))
    paths = [answer.definition.path for answer in details(wire, made)]
    assert paths == ["main.yaml", "lib/one.yaml"]
    answer = wire.Pipelines.Create([part(main, "../main.yaml"), part(one, "../../one.yaml")])
    assert answer.header.code == -3
    assert "leads upwards" in answer.header.messages[0]


def test_paths_below_the_folder_are_kept(wire):
    (answer,) = details(wire, create(wire, part(TEXT, "a..b/.hidden/main.yaml")))
    assert answer.definition.path == "a..b/.hidden/main.yaml"


def test_a_list_of_nothing_has_a_header(wire):
    (answer,) = wire.Pipelines.List()
    assert answer == pipelines_pb2.PipelinesListResponse(header=common_pb2.ResponseHeader())
    assert answer.HasField("header")


def test_repeated_metadata_of_one_stream_is_no_duplicate(wire):
    metadata = {"Site": "north"}
    made = create(wire, part(TEXT[:50], metadata=metadata), part(TEXT[50:], metadata=metadata))
    assert dict(details(wire, made)[0].metadata) == metadata


def test_keys_that_differ_by_case_only_are_duplicates(wire):
    answer = wire.Pipelines.Create([part(TEXT, metadata={"Site": "1", "SITE": "2"})])
    assert answer.header.code == -6
    assert listed(wire) == []


def test_an_id_can_be_given_and_is_taken_once(wire):
    given = common_pb2.Identifier(value="A" * 32)
    assert create(wire, part(TEXT, pipeline_id=given)).value == "a" * 32
    answer = wire.Pipelines.Create([part(TEXT, pipeline_id=given)])
    assert answer.header.code == -6


def test_two_ids_in_one_stream_are_refused(wire):
    ids = [common_pb2.Identifier(value=digit * 32) for digit in "ab"]
    answer = wire.Pipelines.Create([part(TEXT, pipeline_id=each) for each in ids])
    assert answer.header.code == -3


def test_an_empty_stream_is_an_error(wire):
    answer = wire.Pipelines.Create([])
    assert answer.header.code == -3
    assert "no file" in answer.header.messages[0]


def test_lists_are_in_the_order_of_creation(wire):
    made = [create(wire).value for _ in range(3)]
    assert [answer.details.pipeline_id.value for answer in wire.Pipelines.List()] == made


def test_an_update_replaces_the_definition(wire):
    made = create(wire)
    definition = pipelines_pb2.PipelineDefinitionFile(
        path="main.yaml", content=TEXT.replace("copying", "moving")
    )
    request = pipelines_pb2.PipelinesUpdateRequest(pipeline_id=made, definition=definition)
    assert wire.Pipelines.Update([request]).header.code == 0
    assert details(wire, made)[0].name == "moving"


def test_a_removed_pipeline_is_gone(wire):
    made = create(wire)
    request = pipelines_pb2.PipelinesRemoveRequest(pipeline_id=made)
    assert wire.Pipelines.Remove(request).header.code == 0
    again = wire.Pipelines.Remove(request)
    assert again.header.code == -5
    assert made.value in again.header.messages[0]
    assert details(wire, made)[0].header.code == -5


def add(wire, made, **metadata):
    return wire.Pipelines.AddMetadata(
        pipelines_pb2.PipelinesAddMetadataRequest(pipeline_id=made, metadata=metadata)
    )


def test_metadata_is_added_and_removed_without_regard_to_case(wire):
    made = create(wire)
    assert dict(add(wire, made, Site="north").metadata) == {"Site": "north"}
    assert dict(add(wire, made, Ward="7").metadata) == {"Site": "north", "Ward": "7"}
    assert add(wire, made, Other="x", site="south").header.code == -6
    request = pipelines_pb2.PipelinesRemoveMetadataRequest(
        pipeline_id=made, keys=["SITE", "absent"]
    )
    assert dict(wire.Pipelines.RemoveMetadata(request).metadata) == {"Ward": "7"}


@pytest.mark.parametrize(
    ("key", "value"), [("k" * 129, "v"), ("k", "v" * 257), ("é" * 65, "v"), ("", "v")]
)
def test_metadata_that_is_too_large_is_refused(wire, key, value):
    made = create(wire)
    request = pipelines_pb2.PipelinesAddMetadataRequest(pipeline_id=made, metadata={key: value})
    assert wire.Pipelines.AddMetadata(request).header.code == -3
    assert dict(details(wire, made)[0].metadata) == {}


def test_pipelines_are_there_after_a_kill(serve, wire, server):
    made = create(wire, part(TEXT, metadata={"Site": "north"}))
    server.kill()
    with serve(root=server.root).connect() as channel:
        (answer,) = details(type(wire)(channel), made)
    assert answer.definition.content == TEXT
    assert dict(answer.metadata) == {"Site": "north"}


def test_a_second_server_of_a_root_is_refused(serve, server):
    with pytest.raises(RuntimeError, match="another server uses the root"):
        serve(root=server.root)


def test_every_rpc_of_the_models_service_says_that_it_is_not_offered(wire):
    for name, method in METHODS["Models"].items():
        request = [method.request()] if method.takes_stream else method.request()
        answer = getattr(wire.Models, name)(request)
        header = answer[0].header if method.gives_stream else answer.header
        assert header.code == -12, name
        assert "inference server" in header.messages[0]


def test_the_version_is_the_package_s(wire):
    version = wire.Clara.Version(clara_pb2.ClaraVersionRequest()).version
    assert (version.major, version.minor, version.patch) == (0, 1, 0)


def test_a_long_chain_is_described_as_far_as_a_message_goes(wire):
    """Protobuf reads a hundred messages inside each other; the definition is there whole."""
    text = "api-version: 1.0.0\nname: chain\noperators:\n"
    for number in range(150):
        after = f", after: [o{number - 1}]" if number else ""
        text += f"- {{name: o{number}, container: {{image: a}}{after}}}\n"
    answers = details(wire, create(wire, part(text)))
    assert answers[0].header.code == 0
    assert "".join(answer.definition.content for answer in answers) == text
    assert [node.name for node in answers[0].dag] == ["o0"]
