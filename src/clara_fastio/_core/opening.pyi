# SPDX-License-Identifier: Apache-2.0
from clara_fastio._core.context import Context

def create_context(
    name: str | None = None, *, capacity: int = 131072, memory_limit: int | None = None
) -> Context: ...
def open_context(
    name: str | None = None, *, socket: int | None = None, timeout: float | None = 0
) -> Context: ...
def list_contexts() -> list[str]: ...
