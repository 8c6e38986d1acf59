# SPDX-License-Identifier: Apache-2.0
"""Small facts that travel with the content of a variable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Protocol

import numpy as np

from clara_fastio.errors import LayoutError


class _Variable(Protocol):
    """What keeps the facts, as JSON."""

    def _read_attributes(self) -> str: ...
    def _write_attributes(self, json: str, /) -> None: ...


class Attributes(MutableMapping[str, Any]):
    """The attributes of a variable as a dictionary, made by :attr:`Variable.attrs`.

    Reading gives what the last committed write carried; the producer sees what it has set since.
    Setting or deleting an item replaces the whole text, which travels with the next commit. Values
    are copies: to change a list inside, set the item again.

    Parameters
    ----------
    variable
        Whose attributes these are.
    """

    def __init__(self, variable: _Variable) -> None:
        self._variable = variable

    def __getitem__(self, name: str) -> Any:
        return self._read()[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.replace({**self._read(), name: value})

    def __delitem__(self, name: str) -> None:
        values = self._read()
        del values[name]
        self.replace(values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"Attributes({self._read()!r})"

    def replace(self, values: Mapping[str, Any]) -> None:
        """Set all attributes at once.

        Parameters
        ----------
        values
            What JSON can say, and numpy's arrays and numbers, which become lists and numbers.

        Raises
        ------
        ReadOnlyError
            Only the producer may set attributes.
        TypeError
            A name is no str, or JSON has no form for a value.
        ValueError
            More than 4096 bytes of JSON, or a number that is not finite.
        """
        import json

        if not isinstance(values, Mapping):
            raise TypeError(f"attributes are a mapping, not {type(values).__name__}")
        for name in values:
            if not isinstance(name, str):
                raise TypeError(f"the name of an attribute is a str, not {name!r}")
        parts = [
            f"{json.dumps(name, ensure_ascii=False)}:{_as_json(name, value)}"
            for name, value in values.items()
        ]
        text = "{" + ",".join(parts) + "}"
        self._variable._write_attributes(text)  # noqa: SLF001 - the variable's half of this class

    def _read(self) -> dict[str, Any]:
        import json

        text = self._variable._read_attributes()  # noqa: SLF001 - the variable's half of this class
        try:
            values = json.loads(text or "{}")
        except (ValueError, RecursionError) as error:
            raise LayoutError("the attributes in shared memory are no JSON") from error
        if not isinstance(values, dict):
            raise LayoutError("the attributes in shared memory are no JSON object")
        return values


def _as_json(name: str, value: object) -> str:
    import json

    try:
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
        )
    except (TypeError, ValueError, RecursionError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"the attribute {name!r} has no form in JSON: {error}") from error


def _plain(value: object) -> Any:
    """Make numpy's values plain ones."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"there is none for {type(value).__name__}")
