# SPDX-License-Identifier: Apache-2.0
"""A forked child has no device; it is told so, and its parent goes on."""

from __future__ import annotations

import pytest

from tests.helpers import fake_cuda

IN_CHILD = """
def in_child(code):
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = repr(eval(code, globals()))
        except BaseException as error:
            answer = type(error).__name__
        os.write(write_end, answer.encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        answer = pipe.read()
    return answer, os.waitpid(pid, 0)[1]
"""


@pytest.fixture
def parent(producer):
    """A process with ``x``, a mapping of it, and ``in_child``."""
    producer.run(IN_CHILD)
    producer.run("x = device_variable(); write(x, 1); mapping = x.map('r', timeout=5, stream=s)")
    return producer


def test_child_is_told(parent):
    for code in (
        "x.map('r', stream=s)",
        "x.transport",
        "mapping.close()",
        "mapping.commit()",
        "mapping.__dlpack__(stream=s, max_version=(1, 0))",
        "context.variable('y', shape=(3,), memory='device')",
        "context['x']",
    ):
        assert parent.run(f"in_child({code!r})") == ["ForkedContextError", 0], code
    parent.run("mapping.close(); write(x, 2)")
    assert parent.run("read(x).values()") == [2, 2]


def test_capabilities_of_a_child_say_that_it_was_forked(parent):
    answer, status = parent.run("in_child('fastio.capabilities()')")
    assert status == 0
    assert "available=False" in answer
    assert "forked" in answer
    parent.run("mapping.close()")


def test_child_that_opens_the_context_has_no_device_there_either(parent, context):
    code = f"fastio.open_context({context.name!r})['x'].map('r', stream=s)"
    assert parent.run(f"in_child({code!r})") == ["ForkedContextError", 0]
    code = f"fastio.open_context({context.name!r})['x'].name"
    assert parent.run(f"in_child({code!r})") == ["'x'", 0]
    parent.run("mapping.close()")


def test_child_ends_with_all_its_destructors(context, run_program, consumer):
    program = run_program(
        """
        import gc, os, sys
        import clara_fastio as fastio

        context = fastio.open_context(sys.argv[1])
        x = context.variable("x", shape=(8,), memory="device")
        x.map("w").commit()
        mapping = x.map("w", timeout=5)
        pid = os.fork()
        if pid == 0:
            del mapping, x, context
            gc.collect()
            sys.exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        mapping.commit()
        print("done", flush=True)
        sys.stdin.readline()
        context.close()
        """,
        context.name,
        environment={"CLARA_FASTIO_CUDA_DRIVER": str(fake_cuda.library())},
    )
    program.expect("done")
    consumer.run("context['x'].map('r', timeout=5, stream=s).close()")
    program.send()
    assert program.wait() == 0, program.errors
    assert program.errors == ""


def test_work_goes_on_while_a_child_lives(parent, consumer):
    parent.run(
        """
        import signal
        mapping.close()
        child = os.fork()
        if child == 0:
            signal.pause()
            os._exit(0)
        """
    )
    for value in range(2, 6):
        parent.run(f"write(x, {value})")
        assert consumer.run("read(context['x']).values()") == [value, value]
    parent.run("os.kill(child, signal.SIGKILL); os.waitpid(child, 0)")


def test_fork_before_the_first_use_of_a_device(start_bare):
    parent = start_bare()
    parent.run(IN_CHILD)
    parent.run("import os")
    code = "[context.name, fastio.capabilities().available][1]"
    assert parent.run(f"in_child({code!r})") == ["True", 0]
    assert parent.run("fastio.capabilities().available") is True
