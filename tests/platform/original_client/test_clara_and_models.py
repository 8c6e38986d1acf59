# SPDX-License-Identifier: Apache-2.0
"""ClaraClient and ModelsClient of the published package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(300)

PROGRAMS = Path(__file__).parent / "programs"

#: Where the client itself is wrong, and what it falls over.
BROKEN = {
    "delete_instance": 'no "catalog_id" field',
    "delete_model": 'no "catalog_id" field',
    "download_model": "no attribute 'Download'",
    "read_instance": 'no "instance_id" field',
    "update_catalog": "Exception iterating requests",
    "update_instance": 'no "model_ids" field',
    "upload_model": "no attribute 'to_grpc_value'",
}

#: Of the base class; every other method uses them.
INNER = {"check_response_header", "get_request_header", "get_timestamp", "upload_request_iterator"}


def test_the_server_says_its_version_and_stops_services(original):
    assert original.others.version() == [0, 1, 0, ""]
    assert original.others.stop() is None


def test_the_use_of_devices_comes_once_or_as_a_stream(original):
    once = original.others.utilization()
    assert len(once) == 1
    assert original.others.watched_utilization() == once * 2


def test_models_are_not_offered_and_every_method_hears_why(original):
    raised = original.others.models()
    for name, message in raised.items():
        assert BROKEN.get(name, "inference server") in message, name


def test_a_client_is_closed_and_opened_again(original):
    assert original.others.reconnected() is None


def test_every_method_of_the_package_is_called(original):
    sources = "".join(path.read_text() for path in PROGRAMS.glob("*.py"))
    called = set(re.findall(r"(?:client|connect\(\w+\))\.(\w+)", sources))
    assert set(original.others.methods()) - called <= INNER
