# SPDX-License-Identifier: Apache-2.0
"""Pipelines that tests of clients run."""

from __future__ import annotations

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

#: Ends only when it is told to.
SLEEP = """\
api-version: 0.4.0
name: sleeping
operators:
- name: sleep
  container: {image: demo/sleep, command: ["sleep", "60"]}
  output: [{path: /output}]
- name: later
  container: {image: demo/sleep, command: ["true"]}
  input: [{from: sleep, path: /input}]
"""
