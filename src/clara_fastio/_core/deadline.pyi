# SPDX-License-Identifier: Apache-2.0
from typing import Self

from typing_extensions import disjoint_base

@disjoint_base
class Deadline:
    def __new__(cls, length: int) -> Self: ...
    @property
    def is_wait(self) -> bool: ...
