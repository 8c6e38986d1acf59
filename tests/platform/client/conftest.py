# SPDX-License-Identifier: Apache-2.0
"""Clients of a real server."""

from __future__ import annotations

import pytest

from clara_fastio.platform import Client

#: Reads its input and writes it, in capitals, to its output.
SHOUT = """\
api-version: 0.4.0
name: shouting
parameters: {word: hello}
operators:
- name: shout
  container:
    image: demo/shout
    command: ["sh", "-c", "echo \\"$WORD\\"; cat /input/* | tr a-z A-Z > /output/loud"]
  variables: {WORD: "${{ word }}"}
  input: [{path: /input}]
  output: [{path: /output}]
- name: repeat
  container: {image: demo/repeat, command: ["sh", "-c", "cat /input/* /input/* > /output/two"]}
  input: [{from: shout, path: /input}]
  output: [{path: /output}]
"""


@pytest.fixture
def client(server):
    with Client(server.address) as made:
        yield made
