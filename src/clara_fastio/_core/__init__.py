# SPDX-License-Identifier: Apache-2.0
"""The compiled core; its public names are those of `clara_fastio`."""

from __future__ import annotations

from clara_fastio._core.allocation import Allocation
from clara_fastio._core.context import Context
from clara_fastio._core.device import capabilities, set_cache_limit
from clara_fastio._core.frame_input import Frame, Frames
from clara_fastio._core.frame_output import FrameMaker, OpenFrame
from clara_fastio._core.mapping import Mapping, set_debug
from clara_fastio._core.opening import create_context, list_contexts, open_context
from clara_fastio._core.variable import Variable

__all__ = [
    "Allocation",
    "Context",
    "Frame",
    "FrameMaker",
    "Frames",
    "Mapping",
    "OpenFrame",
    "Variable",
    "capabilities",
    "create_context",
    "list_contexts",
    "open_context",
    "set_cache_limit",
    "set_debug",
]
