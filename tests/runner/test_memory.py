# SPDX-License-Identifier: Apache-2.0
"""Operators that use more memory than they request, and those that only seem to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clara_fastio.runner import Note, RunStatus

if TYPE_CHECKING:
    from clara_fastio.runner import Event
    from tests.helpers.workshop import Workshop

ALONE = """
    api-version: 1.0.0
    name: memory
    operators:
    - name: hungry
      container: {image: a, command: <hungry>}
      requests: {memory: 100}
    """

GREEDY = """
    import time
    print("begins", flush=True)
    data = b"x" * 200_000_000
    time.sleep(1000)
    """


def test_an_operator_beyond_its_request_is_ended_and_named(workshop: Workshop) -> None:
    workshop.program("hungry", GREEDY)
    result = workshop.run(ALONE, enforce_memory=True)
    assert result.status is RunStatus.FAILED
    assert result.failure is not None
    assert (result.failure.operator, result.failure.error) == ("hungry", "OperatorError")
    assert "MB of memory, more than the 100 MB that it requests" in result.failure.message
    assert "raise 'memory' in its 'requests'" in result.failure.message
    assert int(result.failure.message.split()[2]) >= 100
    assert workshop.log("hungry") == "begins\n"


def test_what_an_operator_starts_counts_too(workshop: Workshop) -> None:
    workshop.program("child", GREEDY.replace("200_000_000", "70_000_000"))
    workshop.shell("hungry", "setsid python child.py & python child.py")
    result = workshop.run(ALONE, enforce_memory=True, directory=workshop.folder)
    assert result.status is RunStatus.FAILED
    assert result.failure is not None
    assert "more than the 100 MB" in result.failure.message


def test_shared_memory_of_its_own_making_counts(workshop: Workshop) -> None:
    workshop.program(
        "hungry",
        """
        import mmap, time
        memory = mmap.mmap(-1, 200_000_000)
        memory.write(bytes(200_000_000))
        time.sleep(1000)
        """,
    )
    result = workshop.run(ALONE, enforce_memory=True)
    assert result.status is RunStatus.FAILED
    assert result.failure is not None
    assert "more than the 100 MB" in result.failure.message


def test_what_forked_processes_share_counts_once(workshop: Workshop) -> None:
    workshop.program(
        "hungry",
        """
        import os, time
        data = b"x" * 60_000_000
        child = os.fork()
        time.sleep(0.7)
        if child:
            os.wait()
        """,
    )
    result = workshop.run(ALONE, enforce_memory=True)
    assert result.failure is None
    assert result.status is RunStatus.SUCCEEDED


def test_the_memory_of_the_job_does_not_count(workshop: Workshop) -> None:
    workshop.program(
        "producer",
        """
        import time
        from clara_fastio import Driver

        def execute(driver, payload):
            with payload.outputs["volume"].map("w") as array:
                array[...] = 7
                time.sleep(0.7)

        driver = Driver(execute_handler=execute)
        driver.start()
        driver.wait_for_completion()
        """,
    )
    result = workshop.run(
        """
        api-version: 1.0.0
        name: shared
        operators:
        - name: producer
          container: {image: a, command: <producer>}
          requests: {memory: 100}
          output:
          - {name: volume, type: array, element-type: uint8, shape: [200000000]}
        """,
        enforce_memory=True,
    )
    assert result.failure is None
    assert result.status is RunStatus.SUCCEEDED


def test_without_enforcement_it_is_only_told(workshop: Workshop) -> None:
    gate = workshop.folder / "gate"
    wait = f"""
    import os
    while not os.path.exists({str(gate)!r}):
        time.sleep(0.05)
    """
    workshop.program("hungry", GREEDY.replace("    time.sleep(1000)\n    ", wait.lstrip("\n")))

    def let_go_when_told(event: Event) -> None:
        if isinstance(event, Note):
            gate.touch()

    result = workshop.run(ALONE, let_go_when_told)
    assert result.status is RunStatus.SUCCEEDED
    notes = [event for event in workshop.events if isinstance(event, Note)]
    assert [note.operator for note in notes] == ["hungry"]
    assert "more than the 100 MB that it requests" in notes[0].text


def test_a_request_of_nothing_is_no_limit(workshop: Workshop) -> None:
    workshop.program("hungry", GREEDY.replace("1000", "0.5"))
    result = workshop.run(ALONE.replace("memory: 100", "memory: 0"), enforce_memory=True)
    assert result.status is RunStatus.SUCCEEDED
    assert not [event for event in workshop.events if isinstance(event, Note)]
