# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from numpy.typing import DTypeLike
from typing_extensions import disjoint_base

from clara_fastio._core.allocation import Allocation
from clara_fastio._core.variable import Variable
from clara_fastio.streams import Queue
from clara_fastio.types import EntryInfo, ProcessInfo

@disjoint_base
class Context:
    def __init__(self, *args: object, **kwargs: object) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def is_host(self) -> bool: ...
    @property
    def closed(self) -> bool: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def declare(
        self,
        name: str,
        shape: Sequence[int | None],
        dtype: DTypeLike,
        *,
        order: str = "C",
        producer: str | None = None,
        sealed: bool = False,
        queue: Queue | None = None,
        memory: str = "host",
        device: int | str | None = None,
        fallback: str | None = None,
        pinned: bool = False,
    ) -> Variable: ...
    def variable(
        self,
        name: str,
        *,
        shape: Sequence[int | None] = (),
        dtype: DTypeLike = "uint8",
        order: str = "C",
        sealed: bool = False,
        queue: Queue | None = None,
        memory: str = "host",
        device: int | str | None = None,
        fallback: str | None = None,
        pinned: bool = False,
    ) -> Variable: ...
    def __getitem__(self, name: str, /) -> Variable | Allocation: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def create(
        self,
        nbytes: int,
        *,
        zero: bool = False,
        memory: str = "host",
        device: int | str | None = None,
        fallback: str | None = None,
    ) -> Allocation: ...
    def get(self, name: str, *, timeout: float | None = 0) -> Allocation: ...
    def connection(self, role: str) -> int: ...
    def adopt(self, connection: int, role: str) -> None: ...
    def entries(self) -> list[EntryInfo]: ...
    def processes(self) -> list[ProcessInfo]: ...
