# SPDX-License-Identifier: Apache-2.0
"""How the process of a driver ends; each driver here is a separate program."""

from __future__ import annotations

import signal

import pytest

PREAMBLE = """
import os, subprocess, sys, threading, time
from clara_fastio.driver import Driver
def say(text):
    sys.stdout.write(f"{text}\\n")  # At once: two threads talk.
    sys.stdout.flush()
"""


@pytest.fixture
def start(run_program, runner_end):
    """Start an operator under the runner's end of the channel."""

    def start(source: str, **environment: str) -> object:
        program = run_program(
            PREAMBLE + source,
            environment={**runner_end.environment, **environment},
            pass_fds=[runner_end.fd],
        )
        runner_end.close_fd()
        return program

    return start


def test_a_program_that_does_not_wait_still_finishes_its_life_cycle(run_program) -> None:
    """Part 1.5: the process must not end before the driver is done."""
    program = run_program(
        PREAMBLE
        + """
driver = Driver(lambda _: say("prepare"), lambda *_: say(input()), lambda _: say("cleanup"))
driver.start()
say("end of the main function")
"""
    )
    assert {program.read_line(), program.read_line()} == {"prepare", "end of the main function"}
    program.send("execute")
    assert program.finish() == "execute\ncleanup\n"


def test_a_program_ends_with_status_0_after_a_failure(run_program) -> None:
    """As with the original, the driver's report counts and not the status of the process."""
    program = run_program(
        PREAMBLE
        + """
def execute(driver, payload):
    raise ValueError("a bad volume")
driver = Driver(execute_handler=execute)
driver.start()
driver.wait_for_completion()
say(driver.succeeded)
"""
    )
    assert program.finish() == "False\n"
    assert "the execute handler raised ValueError: a bad volume" in program.errors
    assert "in execute" in program.errors


def test_a_program_may_choose_its_status(run_program) -> None:
    program = run_program(
        PREAMBLE
        + """
driver = Driver(execute_handler=lambda *_: False)
driver.start()
driver.wait_for_completion()
sys.exit(0 if driver.succeeded else 3)
"""
    )
    assert program.wait() == 3


def test_the_report_is_out_before_the_program_can_end(start, runner_end) -> None:
    program = start(
        """
driver = Driver(execute_handler=lambda *_: None)
driver.start()
driver.wait_for_completion()
os._exit(0)
"""
    )
    runner_end.send(kind="ready")
    assert runner_end.read_to_end()[-1] == {"kind": "completed", "succeeded": True}
    program.finish()


def test_a_driver_that_waits_ends_with_its_runner(start, runner_end) -> None:
    program = start(
        """
driver = Driver(lambda _: say("prepare"), lambda *_: say("execute"), lambda _: say("cleanup"))
driver.start()
driver.wait_for_completion()
say(driver.error)
"""
    )
    runner_end.read_until(kind="phase", phase="waiting")
    runner_end.close()
    assert program.finish() == "prepare\ncleanup\nstopped: the runner is gone\n"


def test_an_execute_that_hangs_ends_with_its_runner(start, runner_end) -> None:
    program = start(
        """
driver = Driver(execute_handler=lambda *_: threading.Event().wait())
driver.start()
driver.wait_for_completion()
""",
        CLARA_FASTIO_GRACE="0.1",
    )
    runner_end.send(kind="ready")
    runner_end.read_until(kind="phase", phase="execute")
    runner_end.close()
    assert program.wait() == 75
    assert "the grace time is over" in program.errors


def test_a_main_function_that_hangs_ends_with_the_runner(start, runner_end) -> None:
    program = start(
        """
Driver().start()
threading.Event().wait()
""",
        CLARA_FASTIO_GRACE="0.1",
    )
    runner_end.read_until(kind="phase", phase="waiting")
    runner_end.close()
    assert program.wait() == 75


def test_a_handler_that_sees_the_stop_has_the_grace_time(start, runner_end) -> None:
    program = start(
        """
def execute(driver, payload):
    while not driver.is_stopping:
        time.sleep(0.01)
    say("saved")
driver = Driver(execute_handler=execute, cleanup_handler=lambda _: say("cleanup"))
driver.start()
driver.wait_for_completion()
"""
    )
    runner_end.send(kind="ready")
    runner_end.read_until(kind="phase", phase="execute")
    runner_end.close()
    assert program.finish() == "saved\ncleanup\n"


def test_ctrl_c_ends_the_wait_for_inputs(start, runner_end) -> None:
    program = start(
        """
driver = Driver(execute_handler=lambda *_: say("execute"), cleanup_handler=lambda _: say("cleanup"))
def stack(frame):
    return [frame.f_code.co_name, *stack(frame.f_back)] if frame else []
def tell_when_main_waits():
    main = threading.main_thread().ident
    while stack(sys._current_frames()[main])[:3] != ["wait", "wait", "wait_for_completion"]:
        time.sleep(0.01)
    say("waiting")
driver.start()
try:
    threading.Thread(target=tell_when_main_waits).start()
    driver.wait_for_completion()
except KeyboardInterrupt:
    driver.wait_for_completion()
    say(driver.error)
"""
    )
    program.expect("waiting")
    runner_end.read_until(kind="phase", phase="waiting")
    program.signal(signal.SIGINT)
    assert program.finish() == "cleanup\nstopped: interrupted\n"
    assert runner_end.read_to_end()[-1] == {"kind": "completed", "succeeded": False}


CHILDREN = {
    "a program": "subprocess.Popen([sys.executable, '-c', 'input()'], close_fds=False)",
    "a fork": "os.fork() or (sys.stdin.readline(), os._exit(0))",
}


@pytest.mark.parametrize("child", CHILDREN.values(), ids=CHILDREN)
def test_a_child_that_lives_on_does_not_hide_the_end(start, runner_end, child) -> None:
    """Were the channel inherited, the runner would never read its end."""
    program = start(
        f"""
import warnings
warnings.simplefilter("ignore")  # A fork beside threads, and a child that is left alone.
def execute(driver, payload):
    {child}
    os.kill(os.getpid(), 9)
driver = Driver(execute_handler=execute)
driver.start()
driver.wait_for_completion()
"""
    )
    runner_end.send(kind="ready")
    runner_end.read_until(kind="phase", phase="execute")
    assert runner_end.read() is None
    assert program.wait() == -signal.SIGKILL
    program.send()  # The child may end.


@pytest.mark.parametrize(("level", "is_told"), [("0", False), ("1", True), ("2", True)])
def test_the_trace_goes_to_standard_error(run_program, level, is_told) -> None:
    """Part 7."""
    program = run_program(
        PREAMBLE
        + """
driver = Driver()
driver.start()
driver.wait_for_completion()
""",
        environment={"CLARA_TRACE": level},
    )
    program.finish()
    assert ("phase completed" in program.errors) is is_told
