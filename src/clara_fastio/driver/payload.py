# SPDX-License-Identifier: Apache-2.0
"""Inputs and outputs of one execution."""

from __future__ import annotations

import pathlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from clara_fastio.driver.allocations import FastIOContext
from clara_fastio.driver.collection import PayloadCollection, PayloadEntry
from clara_fastio.driver.entries import FastIOEntry
from clara_fastio.driver.open_streams import Streams
from clara_fastio.driver.scope import Scope
from clara_fastio.errors import NotFoundError

if TYPE_CHECKING:
    from clara_fastio._core import Context, Variable
    from clara_fastio.driver.job_memory import JobMemory
    from clara_fastio.driver.settings import Declaration, Settings
    from clara_fastio.driver.streams import InputStream, OutputStream


class Payload:
    """What an execute handler works on; made by the driver, valid while the handler runs.

    :attr:`inputs` and :attr:`outputs` find everything by name. The other members are those of
    the original.

    Parameters
    ----------
    settings
        The entries.
    memory
        Where typed entries are found.
    """

    def __init__(self, settings: Settings, memory: JobMemory) -> None:
        self._memory = memory
        self._scope = Scope()
        self._disk_inputs = _disk_entries(settings.input_paths)
        self._disk_outputs = _disk_entries(settings.output_paths)
        self._typed_inputs = PayloadCollection(
            FastIOEntry(declaration, memory, self._scope, is_input=True)
            for declaration in settings.inputs
        )
        self._typed_outputs = PayloadCollection(
            FastIOEntry(declaration, memory, self._scope, is_input=False)
            for declaration in settings.outputs
        )
        self._streams = Streams(settings, memory, self._scope)
        found = (memory, self._scope, self._streams)
        self._inputs = Entries(self._disk_inputs, settings.inputs, *found)
        self._outputs = Entries(self._disk_outputs, settings.outputs, *found)
        self._fastio_context = FastIOContext(memory, self._scope)

    @property
    def inputs(self) -> Entries:
        """All inputs by name: variables, and paths on disk."""
        self._scope.check("the payload")
        return self._inputs

    @property
    def outputs(self) -> Entries:
        """All outputs by name: variables, and paths on disk."""
        self._scope.check("the payload")
        return self._outputs

    @property
    def context(self) -> Context:
        """The shared memory of the job."""
        self._scope.check("the payload")
        return self._memory.open()

    @property
    def input_entries(self) -> PayloadCollection[PayloadEntry]:
        """The inputs on disk."""
        self._scope.check("the payload")
        return self._disk_inputs

    @property
    def output_entries(self) -> PayloadCollection[PayloadEntry]:
        """The outputs on disk."""
        self._scope.check("the payload")
        return self._disk_outputs

    @property
    def fastio_context(self) -> FastIOContext:
        """The shared memory of the job, as in the original."""
        self._scope.check("the payload")
        return self._fastio_context

    @property
    def fastio_input_entries(self) -> PayloadCollection[FastIOEntry]:
        """The typed inputs."""
        self._scope.check("the payload")
        return self._typed_inputs

    @property
    def fastio_output_entries(self) -> PayloadCollection[FastIOEntry]:
        """The typed outputs."""
        self._scope.check("the payload")
        return self._typed_outputs

    def finish(self, *, succeeded: bool) -> None:
        """End the execution: whatever the handler left open is ended for it.

        Parameters
        ----------
        succeeded
            Whether outputs that are still mapped count as written.
        """
        try:
            for entry in (*self._typed_inputs, *self._typed_outputs):
                entry.finish(succeeded=succeeded)
            self._fastio_context.finish()
            self._streams.end(succeeded=succeeded)
        finally:
            self._scope.close()


class Entries(Mapping[str, "Variable | InputStream | OutputStream | pathlib.Path"]):
    """Inputs or outputs by name; upper and lower case are the same.

    Inputs have the names of the outputs that feed them, and two operators may call theirs alike.
    Such inputs are called ``operator/output``, which finds variables with other names as well.

    Parameters
    ----------
    paths
        Those on disk.
    declarations
        Those in shared memory.
    memory
        Where the latter are found.
    scope
        How long it may be used.
    streams
        Those that are handed over frame by frame.
    """

    def __init__(
        self,
        paths: PayloadCollection[PayloadEntry],
        declarations: tuple[Declaration, ...],
        memory: JobMemory,
        scope: Scope,
        streams: Streams,
    ) -> None:
        found: tuple[PayloadEntry | Declaration, ...] = (*paths, *declarations)
        count = Counter(entry.name.casefold() for entry in found)
        self._entries = [
            (entry.name if count[entry.name.casefold()] == 1 else _full_name(entry), entry)
            for entry in found
        ]
        self._memory = memory
        self._scope = scope
        self._streams = streams

    def __getitem__(self, name: str) -> Variable | InputStream | OutputStream | pathlib.Path:
        """Find the variable, the stream or the path of a name."""
        self._scope.check("the payload")
        found = self._find(name)
        if not found:
            names = ", ".join(map(repr, self)) or "none"
            raise NotFoundError(f"there is no entry {name!r}; there are: {names}")
        if len(found) > 1:
            raise NotFoundError(f"{len(found)} entries are named {name!r}: find them by position")
        if isinstance(found[0], PayloadEntry):
            return pathlib.Path(found[0].path)
        if found[0].is_stream:
            return self._streams[found[0]]
        return self._memory.variable(found[0])

    # The one of the base class waits for KeyError, which NotFoundError is not.
    def get(self, name: str, default: Any = None) -> Any:
        """Find the variable or the path of a name, or give the default.

        Parameters
        ----------
        name
            What to look for.
        default
            The answer when there is no such entry.

        Returns
        -------
        Any
            A variable, a stream, a path or the default.
        """
        return self[name] if name in self else default  # noqa: SIM401 - this is that `get`.

    def __contains__(self, name: object) -> bool:
        """Say whether there is an entry of that name."""
        return isinstance(name, str) and bool(self._find(name))

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._entries])

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Entries {', '.join(map(repr, self))}>"

    def _find(self, name: str) -> list[PayloadEntry | Declaration]:
        wanted = name.casefold()
        return [
            entry
            for known, entry in self._entries
            if wanted in {known.casefold(), _full_name(entry).casefold()}
        ]


def _full_name(entry: PayloadEntry | Declaration) -> str:
    return entry.name if isinstance(entry, PayloadEntry) else entry.variable


def _disk_entries(pairs: tuple[tuple[str, str], ...]) -> PayloadCollection[PayloadEntry]:
    return PayloadCollection(PayloadEntry(name, path) for name, path in pairs)
