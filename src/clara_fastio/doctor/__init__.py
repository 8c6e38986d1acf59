# SPDX-License-Identifier: Apache-2.0
"""Examines this machine: what works, what does not, and what to do about it.

`clara doctor` prints what :func:`examine` finds. Nothing here changes the machine, and whatever
could hang or crash runs in a process of its own, with a limit of time.
"""

from __future__ import annotations

from clara_fastio.doctor.examination import examine, has_problem
from clara_fastio.doctor.finding import Finding, State

__all__ = ["Finding", "State", "examine", "has_problem"]
