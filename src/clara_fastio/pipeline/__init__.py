# SPDX-License-Identifier: Apache-2.0
"""The pipeline definition language: from YAML text to a checked pipeline."""

from __future__ import annotations

from clara_fastio.pipeline.definition import Definition, load_definition, resolve
from clara_fastio.pipeline.model import (
    Connection,
    DataType,
    Input,
    Operator,
    Output,
    Pipeline,
    Requests,
    Service,
)
from clara_fastio.pipeline.problems import Problem

__all__ = [
    "Connection",
    "DataType",
    "Definition",
    "Input",
    "Operator",
    "Output",
    "Pipeline",
    "Problem",
    "Requests",
    "Service",
    "load_definition",
    "resolve",
]
