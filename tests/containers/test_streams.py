# SPDX-License-Identifier: Apache-2.0
"""Frames that flow from container to container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clara_fastio.runner import RunStatus

if TYPE_CHECKING:
    from tests.containers.conftest import ContainerWorkshop

CAMERA = """
    from clara_fastio import Driver

    def execute(driver, payload):
        for number, array in enumerate(payload.outputs["x"].frames(200)):
            array[...] = number

    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
"""
WORK = """
    from clara_fastio import Driver

    def execute(driver, payload):
        output = payload.outputs["y"]
        for frame in payload.inputs["x"].frames():
            with output.next(number=frame.number) as array:
                array[...] = frame.array + 1

    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
"""
GATHER = """
    from clara_fastio import Driver, gather

    def execute(driver, payload):
        merged = gather(*[payload.inputs[name].frames() for name in ("work-1/y", "work-2/y")])
        numbers = [(frame.number, int(frame.array[0])) for frame in merged]
        print(numbers == [(i, i + 1) for i in range(200)], merged.missing, flush=True)

    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
"""
TYPE = "type: array, element-type: uint32, shape: [4]"
DEFINITION = f"""
    api-version: 1.0.0
    name: frames
    operators:
    - name: camera
      container: {{image: <image>, command: <camera>}}
      output: [{{name: x, {TYPE}, queue: {{depth: 4}}}}]
    - name: work-1
      container: {{image: <image>, command: <work>}}
      input: [{{from: camera, name: x, {TYPE}, share: workers}}]
      output: [{{name: y, {TYPE}, queue: {{depth: 4}}}}]
    - name: work-2
      container: {{image: <image>, command: <work>}}
      input: [{{from: camera, name: x, {TYPE}, share: workers}}]
      output: [{{name: y, {TYPE}, queue: {{depth: 4}}}}]
    - name: gather
      container: {{image: <image>, command: <gather>}}
      input:
      - {{from: work-1, name: y, {TYPE}}}
      - {{from: work-2, name: y, {TYPE}}}
"""


def test_frames_cross_containers_and_come_back_in_order(workshop: ContainerWorkshop) -> None:
    workshop.program("camera", CAMERA)
    workshop.program("work", WORK)
    workshop.program("gather", GATHER)
    result = workshop.run(DEFINITION)
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.log("gather") == "True 0\n"
    edges = {edge.name: edge for stream in result.streams for edge in stream.edges}
    assert edges["workers"].taken == edges["workers"].accepted == 200
