# SPDX-License-Identifier: Apache-2.0
"""Pipelines of programs that know nothing of this library and read and write files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clara_fastio.errors import AlreadyExistsError, PipelineError
from clara_fastio.runner import LogLine, OperatorState, RunStatus
from tests.helpers.workshop import CLARA

if TYPE_CHECKING:
    from tests.helpers.workshop import Workshop

CHAIN = """
    api-version: 0.4.0
    name: words
    operators:
    - name: split
      container: {image: demo/split, command: <split>}
      input: [{path: /input}]
      output: [{path: /output}]
    - name: count
      container: {image: demo/count, command: <count>}
      input: [{from: split, path: /in}]
      output:
      - {path: /out/table, name: table}
      - {path: /out/log, name: log}
    - name: report
      container: {image: demo/report, command: <report>}
      input:
      - {from: count, name: table, path: /table}
      - {path: /original}
      output: [{path: /result}]
"""


@pytest.fixture
def chain(workshop: Workshop) -> Workshop:
    workshop.shell("split", "tr ' ' '\\n' < /input/text > /output/words; echo split it")
    workshop.shell("count", "wc -l < /in/words > /out/table/lines; echo done > /out/log/x")
    workshop.shell("report", "cat /table/lines /original/text > /result/all")
    (workshop.folder / "data").mkdir()
    (workshop.folder / "data" / "text").write_text("one two three\n")
    return workshop


def test_programs_find_their_files_at_the_declared_paths(chain: Workshop) -> None:
    result = chain.run(CHAIN, input=chain.folder / "data")
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert [each.state for each in result.operators] == [OperatorState.COMPLETED] * 3
    assert chain.result("split", "words") == "one\ntwo\nthree\n"
    assert chain.result("count", "table", "lines") == "3\n"
    assert chain.result("report", "all") == "3\none two three\n"


def test_edges_count_the_bytes_of_their_folders(chain: Workshop) -> None:
    result = chain.run(CHAIN, input=chain.folder / "data")
    assert [(edge.source, edge.output, edge.target, edge.nbytes) for edge in result.edges] == [
        ("", "", "split", 14),
        ("split", "", "count", 14),
        ("count", "table", "report", 2),
        ("", "", "report", 14),
    ]
    assert {edge.medium for edge in result.edges} == {"disk"}


def test_each_operator_has_a_log_and_lines_are_seen_at_once(chain: Workshop) -> None:
    chain.run(CHAIN, input=chain.folder / "data")
    assert chain.log("split") == "split it\n"
    assert LogLine("split", "split it") in chain.events


def test_result_is_recorded_beside_the_outputs(chain: Workshop) -> None:
    result = chain.run(CHAIN, input=chain.folder / "data")
    assert result.directory == chain.output
    record = json.loads((chain.output / "job.json").read_text())
    assert record == json.loads(json.dumps(result.to_json()))
    assert record["status"] == "succeeded"
    assert sorted(path.name for path in chain.output.iterdir()) == ["job.json", "logs", "operators"]


def test_results_of_an_earlier_run_are_kept_unless_told(chain: Workshop) -> None:
    chain.run(CHAIN, input=chain.folder / "data")
    with pytest.raises(AlreadyExistsError, match="operators"):
        chain.run(CHAIN, input=chain.folder / "data")
    (chain.folder / "data" / "text").write_text("four\n")
    chain.run(CHAIN, input=chain.folder / "data", overwrite=True)
    assert chain.result("split", "words") == "four\n"


def test_inputs_without_a_name_carry_their_operators_where_there_are_several(
    workshop: Workshop,
) -> None:
    for name in ("left", "right"):
        workshop.shell(name, f"echo {name} > /out/x")
    workshop.program(
        "join",
        """
        from pathlib import Path
        from clara import Driver

        def execute(driver, payload):
            for entry in payload.input_entries:
                print(entry.name, Path(entry.path, "x").read_text().strip())
            print(payload.inputs["RIGHT"], payload.inputs["table"])

        driver = Driver(execute_handler=execute)
        driver.start()
        driver.wait_for_completion()
        """,
    )
    result = workshop.run("""
        api-version: 0.4.0
        name: joined
        operators:
        - name: left
          container: {image: a, command: <left>}
          output: [{path: /out}]
        - name: right
          container: {image: a, command: <right>}
          output: [{path: /out}]
        - name: named
          container: {image: a, command: <left>}
          output: [{path: /out, name: table}]
        - name: join
          container: {image: a, command: <join>}
          input:
          - {from: left, path: /l}
          - {from: right, path: /r}
          - {from: named, path: /t, name: table}
        """)
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.log("join").splitlines() == ["left left", "right right", "table left", "/r /t"]


def test_inputs_cannot_be_changed(workshop: Workshop) -> None:
    workshop.shell("make", "echo original > /output/x")
    workshop.shell("spoil", "echo changed > /in/x || touch /in/new || exit 0")
    result = workshop.run("""
        api-version: 0.4.0
        name: spoiled
        operators:
        - name: make
          container: {image: a, command: <make>}
          output: [{path: /output}]
        - name: spoil
          container: {image: a, command: <spoil>}
          input: [{from: make, path: /in}]
        """)
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.result("make", "x") == "original\n"
    assert "Read-only" in workshop.log("spoil")


def test_declared_path_below_an_existing_folder_leaves_that_folder_alone(
    workshop: Workshop,
) -> None:
    workshop.shell("look", "ls /usr/bin/env && echo x > /usr/share/declared-here/deep/file")
    result = workshop.run("""
        api-version: 0.4.0
        name: deep
        operators:
        - name: look
          container: {image: a, command: <look>}
          output: [{path: /usr/share/declared-here/deep}]
        """)
    assert result.status is RunStatus.SUCCEEDED, workshop.log("look")
    assert workshop.result("look", "file") == "x\n"
    assert not Path("/usr/share/declared-here").exists()


def test_where_mounts_are_refused_the_message_names_the_variables(workshop: Workshop) -> None:
    # A user namespace whose own limit forbids further mount namespaces: a real refusal.
    if subprocess.run(["unshare", "-Ur", "true"], check=False, timeout=10).returncode != 0:
        pytest.skip("this machine permits no user namespace to make the refusal in")
    workshop.shell("copy", 'cp "${NVIDIA_CLARA_INPUTPATHS#*:}/x" "${NVIDIA_CLARA_OUTPUTPATHS#*:}/"')
    (workshop.folder / "data").mkdir()
    (workshop.folder / "data" / "x").write_text("content")
    path = workshop.define("""
        api-version: 0.4.0
        name: plain
        operators:
        - name: copy
          container: {image: a, command: <copy>}
          input: [{path: /input}]
          output: [{path: /output}]
        """)
    run = subprocess.run(
        [
            *("unshare", "-Ur", "sh", "-c"),
            'echo 0 > /proc/sys/user/max_mnt_namespaces && exec "$@"',
            *("sh", *CLARA, "run", path, "-i", workshop.folder / "data", "-o", workshop.output),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "NVIDIA_CLARA_INPUTPATHS" in run.stdout
    assert workshop.result("copy", "x") == "content"


def test_environment_of_an_operator(workshop: Workshop) -> None:
    workshop.program(
        "show",
        """
        import json, os, sys
        names = [name for name in os.environ if name.startswith(("NVIDIA_", "CLARA_", "OWN"))]
        found = {name: os.environ[name] for name in names} | {"argument": sys.argv[1]}
        open("/output/found", "w").write(json.dumps(found))
        """,
    )
    command = json.dumps([sys.executable, str(workshop.folder / "show.py"), "$(OWN)/$(NOT_SET)"])
    result = workshop.run(
        f"""
        api-version: 0.4.0
        name: variables
        operators:
        - name: show
          container: {{image: a, command: {command}}}
          variables: {{OWN: 2, CLARA_TRACE: 1}}
          input: [{{path: /first}}, {{path: /second, name: second}}]
          output: [{{path: /output}}]
        """,
        timeout=77,
    )
    assert result.status is RunStatus.SUCCEEDED, workshop.log("show")
    found = json.loads(workshop.result("show", "found"))
    assert found["NVIDIA_CLARA_INPUTPATHS"] == ":/first;second:/second"
    assert found["NVIDIA_CLARA_OUTPUTPATHS"] == ":/output"
    assert uuid.UUID(found["NVIDIA_CLARA_JOBID"]) == uuid.UUID(result.job_id)
    assert found["NVIDIA_CLARA_JOBNAME"] == "variables"
    assert found["NVIDIA_CLARA_STAGENAME"] == "show"
    assert found["NVIDIA_CLARA_STAGETIMEOUT"] == "77"
    assert found["CLARA_TRACE"] == "1"
    assert found["argument"] == "2/$(NOT_SET)"


def test_operators_without_an_edge_run_at_the_same_time(workshop: Workshop) -> None:
    # Opening one end of a pipe waits for the other: one after the other they would never end.
    os.mkfifo(workshop.folder / "meet")
    workshop.shell("talk", f"echo hello > {workshop.folder}/meet")
    workshop.shell("listen", f"cat {workshop.folder}/meet > /output/heard")
    result = workshop.run("""
        api-version: 0.4.0
        name: parallel
        operators:
        - name: talk
          container: {image: a, command: <talk>}
        - name: listen
          container: {image: a, command: <listen>}
          output: [{path: /output}]
        """)
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.result("listen", "heard") == "hello\n"


def test_order_only_edges_are_kept(workshop: Workshop) -> None:
    workshop.shell("first", f"echo x > {workshop.folder}/mark")
    workshop.shell("second", f"cat {workshop.folder}/mark")
    result = workshop.run("""
        api-version: 1.0.0
        name: ordered
        operators:
        - name: second
          container: {image: a, command: <second>}
          after: [first]
        - name: first
          container: {image: a, command: <first>}
        """)
    assert result.status is RunStatus.SUCCEEDED, result.failure
    assert workshop.log("second") == "x\n"


@pytest.mark.parametrize(
    ("extra", "kind"),
    [
        ("models: [{name: m}]", "models"),
        ("services: [{name: s, container: {image: s}}]", "services"),
    ],
)
def test_services_and_models_are_refused_before_anything_starts(
    workshop: Workshop, extra: str, kind: str
) -> None:
    workshop.shell("never", f"touch {workshop.folder}/started")
    with pytest.raises(PipelineError, match=f"'only'.*{kind}.*not offer"):
        workshop.run(f"""
            api-version: 0.6.0
            name: helped
            operators:
            - name: only
              container: {{image: a, command: <never>}}
              {extra}
              output: [{{name: out, path: /out, type: stream, element-type: x}}]
            """)
    assert not (workshop.folder / "started").exists()
    assert not workshop.output.exists()
