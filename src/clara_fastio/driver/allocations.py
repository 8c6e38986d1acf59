# SPDX-License-Identifier: Apache-2.0
"""Hand-made shared memory with the members of the original."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from clara_fastio.driver.open_maps import OpenMaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clara_fastio._core import Allocation, Mapping
    from clara_fastio.driver.job_memory import JobMemory
    from clara_fastio.driver.scope import Scope
    from clara_fastio.types import ElementType

_READING = frozenset({"r", "read"})


class FastIOContext:
    """Makes shared memory and passes it from operator to operator under names.

    Made by the driver, usable while the execute handler runs. It puts operators in no order.

    Parameters
    ----------
    memory
        Where the job's context is opened.
    scope
        How long it may be used.
    """

    def __init__(self, memory: JobMemory, scope: Scope) -> None:
        self._memory = memory
        self._scope = scope
        self._given: weakref.WeakSet[FastIOAllocation] = weakref.WeakSet()
        # What is mapped stays mapped when the allocation itself is forgotten.
        self._orphans: list[OpenMaps] = []

    def create(self, size: int) -> FastIOAllocation:
        """Make zeroed memory that only this process reaches until it is published.

        Parameters
        ----------
        size
            Bytes, at least one.

        Returns
        -------
        FastIOAllocation
            A reference of this process.

        Raises
        ------
        ValueError
            `size` is not positive.
        OutOfMemoryError
            A limit of memory is reached.
        """
        self._scope.check("the FastIO context")
        if size <= 0:
            raise ValueError(f"an allocation has at least one byte, not {size}")
        created = self._memory.open().create(size, zero=True)
        return self._give(created, default_mode="w")

    def get(self, identifier: str, timeout: float = 0) -> FastIOAllocation:
        """Find published memory.

        Parameters
        ----------
        identifier
            The name it was published under.
        timeout
            Seconds to wait for it to be published; an addition to the original.

        Returns
        -------
        FastIOAllocation
            A reference of this process to the same memory.

        Raises
        ------
        NotFoundError
            Nothing is published under the name.
        """
        self._scope.check("the FastIO context")
        return self._give(self._memory.open().get(identifier, timeout=timeout), default_mode="r")

    def finish(self) -> None:
        """Give up every reference that the handler still holds."""
        for allocation in list(self._given):
            allocation.release_if_held()
        for maps in self._orphans:
            maps.end(succeeded=True)
        self._orphans.clear()

    def _give(self, allocation: Allocation, default_mode: str) -> FastIOAllocation:
        maps = OpenMaps("the allocation")
        given = FastIOAllocation(allocation, self._scope, default_mode, maps)
        self._given.add(given)
        weakref.finalize(given, self._adopt, maps).atexit = False
        return given

    def _adopt(self, maps: OpenMaps) -> None:
        if maps.is_any_open:
            self._orphans.append(maps)


class FastIOAllocation:
    """A reference to memory of a context; the memory lives until the last reference is gone.

    As in the original one may read beside a writer, and then sees what is written at that
    moment; of two writers the second fails at once.

    Parameters
    ----------
    allocation
        What it refers to.
    scope
        How long it may be used.
    default_mode
        How :meth:`map` maps when it is not told.
    maps
        Where its maps are kept.
    """

    def __init__(
        self, allocation: Allocation, scope: Scope, default_mode: str, maps: OpenMaps
    ) -> None:
        self._allocation = allocation
        self._scope = scope
        self._default_mode = default_mode
        self._maps = maps
        self._is_held = True

    @property
    def size(self) -> int:
        """Bytes."""
        return int(self._checked.nbytes)

    @property
    def name(self) -> str | None:
        """The name it is published under, if it is."""
        return self._checked.name

    @property
    def id(self) -> str | None:
        """The same as :attr:`name`."""
        return self.name

    @property
    def element_type(self) -> ElementType:
        """What one element is; ``uint8`` until it is set."""
        return self._checked.element_type

    @property
    def dimensions(self) -> list[int]:
        """The dimensions; all bytes in one until they are set."""
        return [-1 if size is None else size for size in self._checked.shape]

    def set_type_and_dimensions(self, element_type: str, dimensions: Sequence[int]) -> None:
        """Describe the content; everybody who gets the memory sees it.

        Parameters
        ----------
        element_type
            Name or short alias.
        dimensions
            Positive sizes that together need no more bytes than there are.

        Raises
        ------
        ShapeError
            The memory is too small.
        ElementTypeError
            There is no such type.
        """
        self._checked.set_type_and_dimensions(element_type, tuple(dimensions))

    def publish(self, identifier: str) -> None:
        """Let all operators of the job find the memory; it then outlives this reference.

        Parameters
        ----------
        identifier
            The name to find it by.

        Raises
        ------
        AlreadyExistsError
            The name is taken.
        """
        self._checked.publish(identifier)

    def map(self, mode: str | None = None) -> Mapping:
        """Give access to the bytes.

        Parameters
        ----------
        mode
            ``"read"`` or ``"write"``; by default write for who created it, read for who got it.

        Returns
        -------
        Mapping
            Supports the buffer protocol; :attr:`Mapping.array` is the array.

        Raises
        ------
        LockConflictError
            Somebody else maps it for writing.
        """
        wanted = mode or self._default_mode
        return self._maps.add(self._checked.map(wanted, dirty=wanted in _READING))

    def unmap(self) -> None:
        """End the access.

        Raises
        ------
        ClosedError
            It is not mapped.
        """
        self._scope.check("a FastIO allocation")
        self._maps.close_last()

    def release(self) -> None:
        """Give up this reference at once; published memory stays for others."""
        allocation = self._checked
        self._drop()
        allocation.release()

    def free(self) -> None:
        """Give up this reference, and let nobody find the memory any more."""
        allocation = self._checked
        self._drop()
        allocation.free()

    def release_if_held(self) -> None:
        """Give up the reference when the execute handler did not."""
        if self._is_held:
            self._drop()
            self._allocation.release()

    @property
    def _checked(self) -> Allocation:
        self._scope.check("a FastIO allocation")
        return self._allocation

    def _drop(self) -> None:
        self._is_held = False
        self._maps.end(succeeded=True)
