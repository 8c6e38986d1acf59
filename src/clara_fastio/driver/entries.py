# SPDX-License-Identifier: Apache-2.0
"""Typed inputs and outputs with the members of the original."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clara_fastio.driver.open_maps import OpenMaps
from clara_fastio.errors import InvalidRequestError, ReadOnlyError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clara_fastio._core import Mapping, Variable
    from clara_fastio.driver.job_memory import JobMemory
    from clara_fastio.driver.scope import Scope
    from clara_fastio.driver.settings import Declaration
    from clara_fastio.types import ElementType

_READING = frozenset({"r", "read"})


class FastIOEntry:
    """A typed input or output of an operator, in shared memory.

    Made by the driver, usable while the execute handler runs. Inputs can be read only.
    Outputs with fixed dimensions have memory at once; those with dynamic dimensions get it
    from :meth:`update_shape` and :meth:`allocate`.

    Parameters
    ----------
    declaration
        What the pipeline says about it.
    memory
        Where its variable is found.
    scope
        How long it may be used.
    is_input
        Whether it can be read only.
    """

    def __init__(
        self, declaration: Declaration, memory: JobMemory, scope: Scope, *, is_input: bool
    ) -> None:
        self._declaration = declaration
        self._memory = memory
        self._scope = scope
        self._is_input = is_input
        self._found: Variable | None = None
        self._maps = OpenMaps(f"entry {declaration.name!r}")

    @property
    def name(self) -> str:
        """The name in the pipeline definition."""
        return self._declaration.name

    @property
    def shape(self) -> list[int]:
        """The dimensions, -1 where not known yet."""
        return [-1 if size is None or size < 0 else size for size in self._variable.shape]

    @property
    def element_type(self) -> ElementType:
        """What one element is; equal to its canonical name, such as ``"float32"``."""
        return self._variable.element_type

    @property
    def size(self) -> int:
        """Bytes of the whole array; 0 while a dimension is not known."""
        return 0 if -1 in self.shape else int(self._variable.nbytes)

    @property
    def size_in_bytes(self) -> int:
        """The same as :attr:`size`."""
        return self.size

    @property
    def dynamic_indices(self) -> list[int]:
        """The indices of the dimensions that were declared dynamic."""
        return list(self._variable.dynamic_indices)

    @property
    def is_dynamic(self) -> bool:
        """Whether any dimension was declared dynamic."""
        return bool(self._variable.is_dynamic)

    @property
    def access(self) -> str:
        """``"r"`` for inputs, ``"rw"`` for outputs."""
        return "r" if self._is_input else "rw"

    @property
    def is_allocated(self) -> bool:
        """Whether it has memory."""
        return bool(self._variable.is_allocated)

    def update_shape(self, shape: Sequence[int]) -> None:
        """Set the dynamic dimensions of an output.

        Parameters
        ----------
        shape
            All dimensions; only dynamic ones may differ from the declaration.

        Raises
        ------
        ReadOnlyError
            This is an input.
        ShapeError
            A fixed dimension would change, or the entry is allocated already.
        """
        self._refuse_stream("change the shape")
        self._refuse_unless_open("change the shape")
        self._variable.update_shape(tuple(shape))

    def allocate(self) -> None:
        """Give a dynamic output its memory.

        Raises
        ------
        ReadOnlyError
            This is an input.
        ShapeError
            It has memory already, or a dimension is not known yet.
        """
        self._refuse_stream("allocate")
        self._refuse_unless_open("allocate")
        if -1 in self.shape:
            raise ShapeError(f"entry {self.name!r} cannot be allocated: its shape is {self.shape}")
        self._variable.allocate()

    def map(self, mode: str | None = None, *, stream: Any = None) -> Mapping:
        """Give access to the elements; a dynamic output with a complete shape gets its memory.

        Parameters
        ----------
        mode
            ``"read"`` or ``"write"``; by default read for inputs and write for outputs.
        stream
            The CUDA stream on which an array on a device is used; None is cupy's current one.

        Returns
        -------
        Mapping
            Supports the buffer protocol; :attr:`Mapping.array` is the array, cupy's on a device.

        Raises
        ------
        ReadOnlyError
            An input is to be written.
        NotAllocatedError
            A dimension is not known yet.
        InvalidRequestError
            It is handed over frame by frame.
        """
        self._refuse_stream("map")
        if self._is_input and mode is not None and mode not in _READING:
            raise self._read_only("map for writing")
        variable = self._variable
        if not self._is_input and not variable.is_allocated and -1 not in self.shape:
            variable.allocate()
        mode = mode or ("r" if self._is_input else "w")
        return self._maps.add(variable.map(mode, stream=stream))

    def unmap(self) -> None:
        """End the access and, after writing, hand the content to the consumers.

        Raises
        ------
        ClosedError
            It is not mapped.
        """
        self._scope.check(f"entry {self.name!r}")
        self._maps.close_last()

    def finish(self, *, succeeded: bool) -> None:
        """End an access that the handler left open: keep the content, or give it up as torn.

        Parameters
        ----------
        succeeded
            How the handler ended.
        """
        self._maps.end(succeeded=succeeded)
        self._found = None

    @property
    def _variable(self) -> Variable:
        self._scope.check(f"entry {self.name!r}")
        if self._found is None:
            self._found = self._memory.variable(self._declaration)
        return self._found

    def _refuse_stream(self, action: str) -> None:
        if self._declaration.is_stream:
            side, loop = ("inputs", "frames()") if self._is_input else ("outputs", "next()")
            raise InvalidRequestError(
                f"cannot {action}: entry {self.name!r} is handed over frame by frame; use "
                f"payload.{side}[{self.name!r}].{loop}"
            )

    def _refuse_unless_open(self, action: str) -> None:
        if self._is_input:
            raise self._read_only(action)
        if not self._variable.is_dynamic:
            raise ShapeError(f"cannot {action}: entry {self.name!r} is declared as {self.shape}")
        if self._variable.is_allocated:
            raise ShapeError(f"cannot {action}: entry {self.name!r} has its memory already")

    def _read_only(self, action: str) -> ReadOnlyError:
        return ReadOnlyError(f"cannot {action}: entry {self.name!r} is an input")

    def __repr__(self) -> str:
        return f"FastIOEntry({self.name!r}, access={self.access!r})"
