# SPDX-License-Identifier: Apache-2.0
"""Definitions that others have published; see data/SOURCES.md."""

from __future__ import annotations

import hashlib
import re

import pytest

from clara_fastio.pipeline import Connection, Requests, load_definition
from tests.pipeline.definitions import DATA

FILES = sorted(DATA.glob("*.yaml"))


def test_files_are_unchanged():
    recorded = set(re.findall(r"\b[0-9a-f]{64}\b", (DATA / "SOURCES.md").read_text()))
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in FILES} == recorded
    assert len(FILES) == 4


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_definition_is_accepted_without_a_warning(path):
    definition = load_definition(path)
    assert definition.warnings == ()
    assert definition.api_version == "0.4.0"
    assert definition.resolve().pull_secrets == ("ngc-clara",)


def test_three_stages_follow_each_other():
    pipeline = load_definition(DATA / "sizing-tool-nullpipeline.yaml").resolve()
    reader, inference, writer = pipeline.operators
    assert [each.name for each in pipeline.operators] == [
        "null-reader",
        "null-inference",
        "null-writer",
    ]
    assert reader.variables == {"CLARA_TRACE": "2"}
    assert reader.image == "null-pipeline/operator-py:0.8.1"
    assert reader.inputs[0].source is None
    assert reader.inputs[0].path == "/input"
    assert inference.requests == Requests(cpu=1, gpu=1, memory=512)
    assert inference.upstream == {"null-reader"}
    assert writer.inputs[0].source == "null-inference"
    assert writer.inputs[0].output is None


def test_named_output_and_a_first_line_for_the_shell():
    path = DATA / "dicom-adapter-dicom-test.yaml"
    assert path.read_text().startswith("#!/bin/bash\n")
    check, register = load_definition(path).resolve().operators
    assert check.outputs[0].name == "dcmout"
    assert register.inputs[0].output == "dcmout"
    assert register.command == ("python", "register.py", "--agent", "DICOMweb")
    assert register.image == "nvcr.io/nvidia/clara/register-results:0.7.2-2010.1"


def test_models_are_kept():
    (reader,) = load_definition(DATA / "sizing-tool-operator_with_model.yaml").resolve().operators
    assert reader.models == ("segmentation_ct_spleen_v1", "segmentation_ct_liver_v1")


def test_services_are_kept():
    path = DATA / "sizing-tool-operator_with_services.yaml"
    (service,) = load_definition(path).resolve().operators[0].services
    assert service.name == "trtis"
    assert service.image == "nvcr.io/nvidia/tritonserver:latest"
    assert service.command == ("some", "command")
    assert service.connections == (Connection("http", "NVIDIA_CLARA_TRTISURI", port=8000),)
