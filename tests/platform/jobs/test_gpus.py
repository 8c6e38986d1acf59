# SPDX-License-Identifier: Apache-2.0
"""Which GPUs operators see; the server is told of some that this machine need not have."""

from __future__ import annotations

from tests.platform.jobs.office import Office
from tests.platform.serving import Wire

RUNNING = 2

#: Its operators tell what they see, and stay until they are told to go on.
PAIR = """
    api-version: 0.4.0
    name: pair
    operators:
    - name: first
      container: {{image: demo/a, command: [sh, -c, {script}]}}
      requests: {{gpu: {gpus}, cpu: 0}}
    - name: second
      container: {{image: demo/a, command: [sh, -c, {script}]}}
      requests: {{gpu: 1, cpu: 0}}
    - name: third
      container: {{image: demo/a, command: [sh, -c, {script}]}}
      requests: {{cpu: 0}}
    """


def test_each_operator_has_gpus_of_its_own(serve, tmp_path):
    gate = tmp_path / "gate"
    script = f"'echo \"<$CUDA_VISIBLE_DEVICES>\"; while ! [ -e {gate} ]; do sleep 0.05; done'"
    server = serve("--allow-any-command", "--gpus", "GPU-x, 1,2,3,7")
    with server.connect() as channel:
        office = Office(Wire(channel))
        jobs = [
            office.create(office.pipeline(PAIR.format(script=script, gpus=gpus)))
            for gpus in (2, 1, 1)
        ]
        for job in jobs:
            office.start(job)
        assert office.status(jobs[1]).state == RUNNING
        assert office.status(jobs[2]).state != RUNNING
        gate.touch()
        for job in jobs:
            assert office.wait(job).status == 1
        seen = [[office.log(job, name)[0] for name in ("first", "second", "third")] for job in jobs]
    assert seen[0] == ["<GPU-x,1>", "<2>", "<>"]
    assert seen[1] == ["<3>", "<7>", "<>"]


def test_an_operator_cannot_take_others(serve):
    script = "'echo $CUDA_VISIBLE_DEVICES'"
    own = "variables: {CUDA_VISIBLE_DEVICES: all}\n      requests:"
    definition = PAIR.format(script=script, gpus=1).replace("requests:", own, 1)
    server = serve("--allow-any-command", "--gpus", "4,5")
    with server.connect() as channel:
        office = Office(Wire(channel))
        job = office.create(office.pipeline(definition))
        office.start(job)
        office.wait(job)
        assert office.log(job, "first") == ["4"]
