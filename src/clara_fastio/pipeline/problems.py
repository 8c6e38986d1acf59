# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a definition, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clara_fastio.errors import DefinitionError
from clara_fastio.pipeline.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from clara_fastio.pipeline.document import Node, Position

_SHOWN = 80
_LISTED = 100
_COMPARISONS = 20_000


def quote(text: str) -> str:
    """Show a value in a message: quoted, on one line, cut when long."""
    shown = repr(text)
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 4]}...{shown[0]}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or doubtful, in a definition.

    Attributes
    ----------
    file, line, column
        Where; line and column count from one.
    message
        What is wrong, as part of a sentence.
    found, expected
        What stands there and what could stand there; empty when the message says it all.
    hint
        What to change; may be empty.
    """

    file: str
    line: int
    column: int
    message: str
    found: str = ""
    expected: str = ""
    hint: str = ""

    def __str__(self) -> str:
        facts = [f"found {self.found}"] if self.found else []
        facts += [f"expected {self.expected}"] if self.expected else []
        text = f"{self.file}:{self.line}:{self.column}: {self.message}"
        text += f" ({', '.join(facts)})" if facts else ""
        return text + (f"; {self.hint}" if self.hint else "")


class Problems:
    """Collects the errors and warnings of one reading of a definition.

    Parameters
    ----------
    deferring
        Drop errors that depend on the job's arguments: these are not known yet.
    """

    def __init__(self, *, deferring: bool = False) -> None:
        self.deferring = deferring
        self._files: dict[str, int] = {}
        # A file imported twice has its problems once: the keys are what counts.
        self._errors: dict[Problem, None] = {}
        self._warnings: dict[Problem, None] = {}
        self._comparisons_left = _COMPARISONS

    def saw(self, file: str) -> None:
        """Remember that `file` was read now; problems are sorted by that order."""
        self._files.setdefault(file, len(self._files))

    def error(
        self,
        node: Node,
        message: str,
        *,
        found: str = "",
        expected: str = "",
        hint: str = "",
        depends: Iterable[Node] = (),
    ) -> None:
        """Add an error at `node`; `depends` are other nodes that could make it go away."""
        if self.deferring and (node.templated or any(other.templated for other in depends)):
            return
        self.error_at(node.position, message, found=found, expected=expected, hint=hint)

    def error_at(
        self,
        position: Position,
        message: str,
        *,
        found: str = "",
        expected: str = "",
        hint: str = "",
    ) -> None:
        """Add an error at a position, whatever the arguments may be."""
        problem = Problem(
            position.file, position.line, position.column, message, found, expected, hint
        )
        self._errors[problem] = None

    def warning(self, node: Node, message: str, *, hint: str = "") -> None:
        """Add something that is odd but does not stop the definition from being used."""
        position = node.position
        problem = Problem(position.file, position.line, position.column, message, hint=hint)
        self._warnings[problem] = None

    def did_you_mean(self, name: str, known: Collection[str]) -> str:
        """Give a hint with the known name that is most like `name`, or an empty text.

        Comparing is slow, so the first of very many problems get hints and the others do not.
        """
        self._comparisons_left -= len(known)
        return did_you_mean(name, known) if self._comparisons_left >= 0 else ""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The errors, in the order of the files and of the lines in them."""
        return tuple(sorted(self._errors, key=self._place))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The warnings, in the same order."""
        return tuple(sorted(self._warnings, key=self._place))

    def _place(self, problem: Problem) -> tuple[int, int, int]:
        return (self._files.get(problem.file, len(self._files)), problem.line, problem.column)

    def raise_if_any(self) -> None:
        """Raise one error that carries all that was found.

        Raises
        ------
        DefinitionError
            At least one error was added.
        """
        errors = self.errors
        if not errors:
            return
        first = errors[0]
        count = "1 problem" if len(errors) == 1 else f"{len(errors)} problems"
        lines = "\n".join(f"  {problem}" for problem in errors[:_LISTED])
        if len(errors) > _LISTED:
            lines += f"\n  and {len(errors) - _LISTED} more"
        # An oddity, such as a misspelt property, is often the reason for an error.
        for warning in self.warnings[:_LISTED]:
            lines += f"\n  warning: {warning}"
        raise DefinitionError(
            f"the pipeline definition has {count}:\n{lines}",
            file=first.file,
            line=first.line,
            column=first.column,
            problems=errors,
        )
