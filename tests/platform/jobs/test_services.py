# SPDX-License-Identifier: Apache-2.0
"""Services of pipelines: started before the operators, shared, and ended by Clara.Stop."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import textwrap
from typing import TYPE_CHECKING

from clara_fastio.platform._proto import clara_pb2
from tests.platform.jobs.office import Office, good
from tests.platform.jobs.runs import is_alive, wait_until
from tests.platform.serving import ServerProgram, Wire

if TYPE_CHECKING:
    from tests.platform.conftest import ServerProgram

STOPPED, HEALTHY, FAULTED, CANCELED = 3, 1, 2, 3

#: Answers every connection with its process id.
SERVICE = """
    import os, socket, sys
    server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
    print("up", os.environ["LEVEL"], flush=True)
    while True:
        connection, _ = server.accept()
        connection.sendall(str(os.getpid()).encode())
        connection.close()
    """
OPERATOR = """
    import os, socket
    host, _, port = os.environ["SERVICE_ADDRESS"].rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        print(connection.recv(100).decode())
    """


def definition(service: str = SERVICE, operator: str = OPERATOR, port: str = "") -> str:
    commands = [
        json.dumps([sys.executable, "-c", textwrap.dedent(text)]) for text in (service, operator)
    ]
    return f"""
        api-version: 0.4.0
        name: served
        operators:
        - name: only
          container: {{image: demo/only, command: {commands[1]}}}
          services:
          - name: answers
            container: {{image: demo/answers, command: {commands[0]}}}
            variables: {{LEVEL: "3"}}
            connections:
              http:
              - name: SERVICE_ADDRESS
                {port}
        """


def ask(office: Office, text: str) -> int:
    """Run a job whose operator asks the service; gives the service's process id."""
    status = office.run(text)
    assert (status.status, list(status.messages)) == (HEALTHY, [])
    return int(office.log(status.job_id.value, "only")[0])


def test_a_service_is_shared_and_ends_when_it_is_told_to(office: Office) -> None:
    first = ask(office, definition())
    assert ask(office, definition()) == first
    other = ask(office, definition(service=SERVICE + "# Another command.\n"))
    assert other != first
    good(office.wire.Clara.Stop(clara_pb2.ClaraStopRequest()))
    assert not is_alive(first)
    assert not is_alive(other)
    assert ask(office, definition()) not in {first, other}


def test_a_service_that_died_is_started_again(office: Office) -> None:
    first = ask(office, definition())
    os.kill(first, 9)
    wait_until(lambda: not os.path.exists(f"/proc/{first}"))  # noqa: PTH110 - it is reaped
    assert ask(office, definition()) != first


def test_a_service_dies_with_its_server(server: ServerProgram) -> None:
    with contextlib.closing(server.connect()) as channel:
        service = ask(Office(Wire(channel)), definition())
    server.kill()
    wait_until(lambda: not is_alive(service), 2)


def test_a_service_that_does_not_start_faults_the_job(office: Office) -> None:
    status = office.run(definition(service="import sys; sys.exit('no licence')"))
    assert (status.state, status.status) == (STOPPED, FAULTED)
    assert "'answers' ended before it listened" in status.messages[0]
    assert "no licence" in status.messages[0]
    assert office.log(status.job_id.value, "only") == []


def test_a_taken_port_faults_the_job(office: Office) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = definition(service=SERVICE + "# On a port.\n", port=f"port: {port}")
        status = office.run(text)
    assert status.status == FAULTED
    assert f"port {port} is taken" in status.messages[0]


def test_other_ports_than_those_it_runs_on_fault_the_job(office: Office) -> None:
    ask(office, definition())
    status = office.run(definition(port="port: 2000"))
    assert status.status == FAULTED
    assert "runs already, on other ports" in status.messages[0]


def test_the_operators_own_variable_wins(office: Office) -> None:
    text = definition(operator="import os; print(os.environ['SERVICE_ADDRESS'])").replace(
        "  services:", "  variables: {SERVICE_ADDRESS: mine}\n          services:"
    )
    status = office.run(text)
    assert office.log(status.job_id.value, "only") == ["mine"]


def test_a_job_is_canceled_while_its_service_starts(office: Office) -> None:
    job_id = office.create(office.pipeline(definition(service="import time; time.sleep(60)")))
    office.start(job_id)
    assert office.cancel(job_id, "no patience").job_status == CANCELED
    assert list(office.status(job_id).messages) == ["no patience"]


DATA_SERVICE = """
    import os, socket, sys
    text = open(sys.argv[1] + "/model").read() + open(os.environ[sys.argv[2]] + "/model").read()
    server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
    while True:
        connection, _ = server.accept()
        connection.sendall(text.encode())
        connection.close()
    """


def with_data() -> str:
    """Give the service the path by its command line and the variable's name."""
    command = json.dumps(
        [
            sys.executable,
            "-c",
            textwrap.dedent(DATA_SERVICE),
            "$(NVIDIA_CLARA_SERVICE_DATA_PATH)/models",
            "NVIDIA_CLARA_SERVICE_DATA_PATH",
        ]
    )
    usual = json.dumps([sys.executable, "-c", textwrap.dedent(SERVICE)])
    return definition().replace(usual, command)


def test_services_find_the_files_that_they_share(serve, tmp_path) -> None:
    for folder, text in ((tmp_path, "all "), (tmp_path / "models", "one ")):
        folder.mkdir(exist_ok=True)
        (folder / "model").write_text(text)
    server = serve("--allow-any-command", "--service-data", str(tmp_path))
    with server.connect() as channel:
        office = Office(Wire(channel))
        status = office.run(with_data())
        assert list(status.messages) == []
        assert office.log(status.job_id.value, "only") == ["one all "]


def test_the_place_of_the_files_is_not_told(office: Office) -> None:
    status = office.run(with_data())
    assert status.status == FAULTED
    assert "'$NVIDIA_CLARA_SERVICE_DATA_PATH/models/model'" in status.messages[0]


#: Writes far more than a log may hold, then listens.
TALKATIVE = """
    import os
    os.write(1, b"the first line\\n")
    for number in range(2_000):
        os.write(1, b"%d " % number * 20 + b"\\n")
    """


def test_the_log_of_a_service_has_the_operators_limit(serve) -> None:
    server = serve("--allow-any-command", "--log-size", "16384")
    with server.connect() as channel:
        ask(Office(Wire(channel)), definition(service=TALKATIVE + SERVICE.strip("\n")))
        (log,) = server.root.glob("scratch/service-*/log")
        wait_until(lambda: log.read_text().endswith("up 3\n"))
        text = log.read_text()
    assert len(text) <= 16384
    assert text.startswith("the first line\n")
    assert "bytes are left out here" in text
