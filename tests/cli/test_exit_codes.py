# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from clara_fastio import errors
from clara_fastio.cli.exit_codes import ExitCode, exit_code_of


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.DefinitionError, 2),
        (errors.PipelineError, 2),
        (errors.ShapeError, 2),
        (errors.OperatorError, 3),
        (errors.NotFoundError, 4),
        (errors.AlreadyExistsError, 5),
        (errors.NotOfferedError, 2),
        (errors.NotAllocatedError, 6),
        (errors.PermissionDeniedError, 6),
        (errors.UnauthenticatedError, 6),
        (errors.OutOfMemoryError, 7),
        (errors.HostUnresponsiveError, 8),
        (errors.LockAbandonedError, 9),
        (errors.UnavailableError, 10),
        (errors.SystemCallError, 1),
        (errors.FastIOError, 1),
    ],
)
def test_errors_have_the_exit_code_of_the_page(kind: type[Exception], code: int) -> None:
    assert exit_code_of(kind("x")) == code


def test_no_exit_code_is_that_of_a_signal() -> None:
    assert max(ExitCode) < 126  # The shell's own begin there.
