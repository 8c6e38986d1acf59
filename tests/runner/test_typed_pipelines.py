# SPDX-License-Identifier: Apache-2.0
"""Operators with the driver that hand each other arrays in shared memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import clara_fastio
from clara_fastio.runner import OperatorState, RunStatus, StateChanged

if TYPE_CHECKING:
    from clara_fastio.runner import Event
    from tests.helpers.workshop import Workshop

LOAD = """
    import numpy as np
    from clara_fastio import Driver

    def execute(driver, payload):
        volume = payload.outputs["volume"]
        volume.update_shape((5, 64, 64))
        volume.allocate()
        with volume.map("w") as array:
            array[...] = np.arange(array.size, dtype="float32").reshape(array.shape)
        with payload.outputs["spacing"].map("w") as array:
            array[:] = (1.0, 0.5, 0.5)
        text = "brain".encode()
        label = payload.outputs["label"]
        label.update_shape((len(text),))
        label.allocate()
        with label.map("w") as array:
            array[:] = list(text)

    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
"""
SCALE = """
    from clara_fastio import Driver

    def execute(driver, payload):
        scaled = payload.outputs["scaled"]
        with payload.inputs["volume"].map() as volume, payload.inputs["spacing"].map() as spacing:
            assert not volume.flags.writeable
            scaled.update_shape(volume.shape)
            scaled.allocate()
            for factor in (2, 3):
                with scaled.map("w") as array:
                    array[...] = volume * factor * spacing[0]
            with payload.outputs["peak"].map("w") as peak:
                peak[0] = volume.max()

    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
"""
SAVE = """
    from clara_fastio import Driver

    def execute(driver, payload):
        with payload.inputs["scaled"].map() as scaled, payload.inputs["label"].map() as label:
            with payload.inputs["peak"].map() as peak:
                text = f"{bytes(label).decode()} {scaled.max():.0f} {peak[0]:.0f}"
        (payload.outputs["report"] / "text").write_text(text)

    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
"""
FRAMES = """
    api-version: 0.5.0
    name: frames
    operators:
    - name: load
      container: {image: demo/load, command: <load>}
      output:
      - {name: volume, type: array, element-type: f32, shape: [-1, 64, 64]}
      - {name: spacing, type: array, element-type: float64, shape: [3]}
      - {name: label, type: string}
    - name: scale
      container: {image: demo/scale, command: <scale>}
      input:
      - {from: load, name: volume, type: array, element-type: float32, shape: [-1, 64, 64]}
      - {from: load, name: spacing, type: array, element-type: float64, shape: [3]}
      output:
      - {name: scaled, type: array, element-type: float32, shape: [-1, 64, 64]}
      - {name: peak, type: float32}
    - name: save
      container: {image: demo/save, command: <save>}
      input:
      - {from: scale, name: scaled, type: array, element-type: float32, shape: [-1, 64, 64]}
      - {from: scale, name: peak, type: f32}
      - {from: load, name: label, type: string}
      output:
      - {name: report, path: /out, type: stream, element-type: text-report}
"""


def test_arrays_strings_and_numbers_go_from_operator_to_operator(workshop: Workshop) -> None:
    for name, source in (("load", LOAD), ("scale", SCALE), ("save", SAVE)):
        workshop.program(name, source)
    result = workshop.run(FRAMES)
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.result("save", "report", "text") == f"brain {3 * 20479} 20479"
    volume = 5 * 64 * 64 * 4
    assert [(edge.source, edge.output, edge.nbytes, edge.versions) for edge in result.edges] == [
        ("load", "volume", volume, 1),
        ("load", "spacing", 24, 1),
        ("scale", "scaled", 2 * volume, 2),
        ("scale", "peak", 4, 1),
        ("load", "label", 5, 1),
    ]
    assert {edge.medium for edge in result.edges} == {"memory"}
    for each in result.operators:
        assert each.wait is not None
        assert each.execute is not None


def test_all_prepare_before_the_first_has_executed(workshop: Workshop) -> None:
    # The producer waits for a mark that the consumer's prepare makes: in turn, neither would end.
    workshop.program(
        "produce",
        f"""
        import os, time
        from clara_fastio import Driver

        def execute(driver, payload):
            while not os.path.exists("{workshop.folder}/prepared"):
                time.sleep(0.01)
            with payload.outputs["x"].map("w") as array:
                array[0] = 7

        driver = Driver(execute_handler=execute)
        driver.start()
        driver.wait_for_completion()
        """,
    )
    workshop.program(
        "consume",
        f"""
        import os
        from clara_fastio import Driver

        def prepare(driver):
            os.mknod("{workshop.folder}/prepared")

        def execute(driver, payload):
            with payload.inputs["x"].map() as array:
                print("got", array[0])

        driver = Driver(prepare_handler=prepare, execute_handler=execute)
        driver.start()
        driver.wait_for_completion()
        """,
    )
    result = workshop.run(PAIR)
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.log("consume") == "got 7\n"


PAIR = """
    api-version: 0.5.0
    name: pair
    operators:
    - name: produce
      container: {image: a, command: <produce>}
      output: [{name: x, type: int32}]
    - name: consume
      container: {image: a, command: <consume>}
      input: [{from: produce, name: x, type: int32}]
"""
PRODUCE = """
    from clara_fastio import Driver

    def execute(driver, payload):
        {body}

    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
"""
WRITE = """with payload.outputs["x"].map("w") as array: array[0] = 7"""


def test_output_that_was_never_written_is_named(workshop: Workshop) -> None:
    workshop.program("produce", PRODUCE.format(body="pass"))
    workshop.program("consume", PRODUCE.format(body="pass"))
    result = workshop.run(PAIR)
    assert result.status is RunStatus.FAILED
    assert result.failure is not None
    assert result.failure.operator == "produce"
    assert result.failure.phase == "execute"
    assert result.failure.message == "it completed without writing 'x'"
    assert result.operators[1].state is OperatorState.STOPPED


def test_failure_of_a_handler_arrives_with_its_traceback(workshop: Workshop) -> None:
    workshop.program("produce", PRODUCE.format(body=WRITE))
    workshop.program("consume", PRODUCE.format(body="raise KeyError('no such organ')"))
    result = workshop.run(PAIR)
    assert result.status is RunStatus.FAILED
    assert result.failure is not None
    assert (result.failure.operator, result.failure.phase) == ("consume", "execute")
    assert "no such organ" in result.failure.message
    assert "raise KeyError('no such organ')" in result.failure.traceback
    assert "consume.py" in result.failure.traceback
    assert result.operators[0].state is OperatorState.COMPLETED


def test_killed_driver_is_a_dead_peer(workshop: Workshop) -> None:
    workshop.program(
        "produce",
        # To its own thread: one sent to the process may arrive when the handler has returned.
        PRODUCE.format(
            body="import signal, threading; "
            "signal.pthread_kill(threading.get_ident(), signal.SIGSEGV)"
        ),
    )
    workshop.program("consume", PRODUCE.format(body="pass"))
    result = workshop.run(PAIR)
    assert result.failure is not None
    assert (result.failure.error, result.failure.phase) == ("PeerDiedError", "execute")
    assert "SIGSEGV" in result.failure.message


def test_variable_is_freed_after_its_last_consumer(workshop: Workshop) -> None:
    workshop.program("produce", PRODUCE.format(body=WRITE))
    workshop.program(
        "consume",
        """
        import clara_fastio
        from clara_fastio import Driver

        def execute(driver, payload):
            with payload.inputs["x"].map() as array:
                print(array[0])

        driver = Driver(execute_handler=execute)
        driver.start()
        driver.wait_for_completion()
        """,
    )
    workshop.shell("last", f"while [ ! -e {workshop.folder}/looked ]; do sleep 0.01; done")
    found: dict[str, bool] = {}

    def look(event: Event) -> None:
        if isinstance(event, StateChanged) and event.state is OperatorState.EXECUTE:
            (name,) = [name for name in clara_fastio.list_contexts() if name.startswith("pair-")]
            found[event.operator] = "produce/x" in clara_fastio.open_context(name)
            if event.operator == "last":
                os.mknod(workshop.folder / "looked")

    result = workshop.run(
        PAIR.replace("0.5.0", "1.0.0")
        + """\
    - name: last
      container: {image: a, command: <last>}
      after: [consume]
        """,
        look,
    )
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert found == {"produce": True, "consume": True, "last": False}


def test_program_written_for_the_original_runs_unchanged(workshop: Workshop) -> None:
    # After the one public program that uses the original: it works on disk, at literal paths.
    workshop.program(
        "dicom",
        """
        import os
        import shutil
        from clara import Driver, Error, Payload

        def execute(driver: Driver, payload: Payload):
            source = os.environ["NVIDIA_CLARA_INPUTPATHS"].split(":", 1)[1]
            target = os.environ["NVIDIA_CLARA_OUTPUTPATHS"].split(":", 1)[1]
            assert (source, target) == ("/input", "/output")
            for name in os.listdir(source):
                shutil.copy(os.path.join(source, name), target)

        if __name__ == "__main__":
            driver = Driver(execute_handler=execute)
            driver.start()
            driver.wait_for_completion()
        """,
    )
    (workshop.folder / "data").mkdir()
    (workshop.folder / "data" / "scan.dcm").write_text("pixels")
    result = workshop.run(
        """
        api-version: 0.4.0
        name: dicom-test
        operators:
        - name: test
          container: {image: dicom-test-op, tag: "1", command: <dicom>}
          input: [{path: /input}]
          output: [{path: /output, name: dcmout}]
        """,
        input=workshop.folder / "data",
    )
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.result("test", "dcmout", "scan.dcm") == "pixels"
    assert result.operators[0].starting is not None  # Its driver has greeted the runner.


def test_hand_made_allocations_pass_between_untyped_operators(workshop: Workshop) -> None:
    workshop.program(
        "make",
        """
        from clara import Driver

        def execute(driver, payload):
            block = payload.fastio_context.create(64)
            with block.map("w") as array:
                array[:4] = list(b"data")
            block.publish("mine")

        driver = Driver(execute_handler=execute)
        driver.start()
        driver.wait_for_completion()
        """,
    )
    workshop.program(
        "take",
        """
        import clara_fastio

        with clara_fastio.open_context() as context, context.get("mine").map("r") as array:
            print(bytes(array[:4]).decode())
        """,
    )
    result = workshop.run("""
        api-version: 1.0.0
        name: by-hand
        operators:
        - name: make
          container: {image: a, command: <make>}
        - name: take
          container: {image: a, command: <take>}
          after: [make]
        """)
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.log("take") == "data\n"
