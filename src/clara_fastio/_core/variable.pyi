# SPDX-License-Identifier: Apache-2.0
from collections.abc import Mapping, Sequence
from typing import Any, Literal, overload

from typing_extensions import Buffer, disjoint_base

from clara_fastio._core.allocation import Allocation
from clara_fastio._core.attributes import Attributes
from clara_fastio._core.frame_input import Frames
from clara_fastio._core.frame_output import FrameMaker, OpenFrame
from clara_fastio.streams import Queue, StreamInfo

@disjoint_base
class Variable(Allocation):
    def __init__(self, *args: object, **kwargs: object) -> None: ...
    @property
    def declared_shape(self) -> tuple[int | None, ...]: ...
    @property
    def order(self) -> Literal["C", "F"]: ...
    @property
    def is_dynamic(self) -> bool: ...
    @property
    def dynamic_indices(self) -> tuple[int, ...]: ...
    @property
    def access(self) -> Literal["r", "rw"]: ...
    @property
    def is_allocated(self) -> bool: ...
    @property
    def version(self) -> int: ...
    @property
    def attrs(self) -> Attributes: ...
    @attrs.setter
    def attrs(self, values: Mapping[str, Any]) -> None: ...
    def update_shape(self, shape: Sequence[int]) -> None: ...
    def allocate(self) -> None: ...
    def wait(self, *, version: int = 1, timeout: float | None = None) -> int: ...
    @property
    def queue(self) -> Queue | None: ...
    @property
    def stream(self) -> StreamInfo: ...
    @property
    def is_pinned(self) -> bool: ...
    @property
    def pin_refusal(self) -> str: ...
    def next(
        self,
        *,
        timeout: float | None = None,
        shape: Sequence[int] | None = None,
        number: int | None = None,
        header: Buffer | None = None,
        stream: Any = None,
    ) -> OpenFrame: ...
    @overload
    def frames(
        self,
        count: None = None,
        *,
        name: str | None = None,
        policy: str | None = None,
        share: str | None = None,
        deadline: float | None = None,
        timeout: float | None = None,
        stream: Any = None,
    ) -> Frames: ...
    @overload
    def frames(
        self, count: float, *, timeout: float | None = None, stream: Any = None
    ) -> FrameMaker: ...
    def reserve(
        self,
        name: str,
        *,
        policy: str | None = None,
        share: bool = False,
        deadline: float | None = None,
        role: str | None = None,
    ) -> None: ...
    def unreserve(self, name: str, *, role: str | None = None) -> None: ...
    def finish(self) -> None: ...
