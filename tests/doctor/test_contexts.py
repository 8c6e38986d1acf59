# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import clara_fastio
from clara_fastio.doctor import contexts


def test_contexts_of_this_user_are_named(context_name):
    with clara_fastio.create_context(context_name):
        (found,) = contexts.hosted()
        assert context_name in found.details["names"]
    (found,) = contexts.hosted()
    assert context_name not in found.details["names"]


def test_round_trip_works():
    (found,) = contexts.round_trip()
    assert found.state == "ok", found


def test_round_trip_that_fails_is_a_problem_with_its_error(run_program):
    program = """
        import resource
        from clara_fastio.doctor import contexts
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # The tables do not fit.
        (found,) = contexts.round_trip()
        print(found.state, found.found)
    """
    line = run_program(program).read_line()
    assert line.startswith("problem ")
    assert "File too large" in line or "SIGXFSZ" in line
