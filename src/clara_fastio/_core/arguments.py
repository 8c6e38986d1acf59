# SPDX-License-Identifier: Apache-2.0
"""Arguments of users, checked in terms of Python before the core sees them."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from clara_fastio.errors import ShapeError

_ORDERS: Final = ("C", "F")
#: Seconds that fit into the core's 64-bit nanoseconds; longer is for ever.
_LONGEST: Final = 2.0**63 / 1e9


def text(value: object, what: str) -> bytes:
    """Encode a name; that it is neither empty nor too long is checked by the core."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is a str, not {_kind(value)}")
    return value.encode()


def integer(value: Any, what: str, low: int, high: int) -> int:
    """Take anything that is a whole number, numpy's as well, within bounds."""
    number = _index(value, what)
    if not low <= number <= high:
        raise ValueError(f"{what} lies between {low} and {high}; found {number}")
    return number


def nanoseconds(timeout: Any) -> int:
    """Convert seconds to wait; -1 means for ever.

    Parameters
    ----------
    timeout
        A number of seconds, 0 for not at all, None for ever.

    Returns
    -------
    int
        Nanoseconds, or -1.
    """
    if timeout is None:
        return -1
    if isinstance(timeout, (bool, np.bool_, str, bytes)):
        raise TypeError(f"a timeout is a number of seconds or None, not {_kind(timeout)}")
    try:
        seconds = float(timeout)
    except TypeError:
        message = f"a timeout is a number of seconds or None, not {_kind(timeout)}"
        raise TypeError(message) from None
    if math.isnan(seconds) or seconds < 0:
        raise ValueError(f"a timeout is not negative; found {timeout}")
    return -1 if seconds >= _LONGEST else int(seconds * 1e9)


def order(value: object) -> bool:
    """Tell whether an order is column-major."""
    if not isinstance(value, str):
        raise TypeError(f"an order is 'C' or 'F', not {_kind(value)}")
    if value not in _ORDERS:
        raise ValueError(f"an order is 'C' (row-major) or 'F' (column-major); found {value!r}")
    return value == "F"


def dimensions(shape: Any, *, declared: bool) -> list[int]:
    """Take a shape apart.

    Parameters
    ----------
    shape
        Any sequence of whole numbers.
    declared
        Whether None, -1 and 0 stand for a dimension that is known only at run time; elsewhere 0
        is a length.

    Returns
    -------
    list of int
        With -1 where a dimension is dynamic.
    """
    if isinstance(shape, (str, bytes)) or not isinstance(shape, (Sequence, np.ndarray)):
        raise TypeError(f"a shape is a sequence such as (120, 512); found {_kind(shape)}")
    return [_dimension(size, index, declared) for index, size in enumerate(shape)]


def _dimension(size: Any, index: int, declared: bool) -> int:  # noqa: FBT001 - private, one caller
    if size is None:
        number = -1
    else:
        number = _index(size, f"dimension {index} of a shape")
        if declared and number == 0:
            number = -1
    if number < (-1 if declared else 0):
        allowed = "positive, or None when known at run time only" if declared else "0 or more"
        raise ShapeError(f"dimension {index} of a shape is {allowed}; found {size}")
    if number >= 2**63:
        raise ShapeError(f"dimension {index} of a shape is below 2**63; found {size}")
    return number


def _index(value: Any, what: str) -> int:
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{what} is a whole number, not {_kind(value)}")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{what} is a whole number, not {_kind(value)}") from None


def _kind(value: object) -> str:
    """Name what was found: the type, and the value where it is short."""
    shown = repr(value)
    name = type(value).__name__
    return f"{name} {shown}" if len(shown) <= 40 else name
