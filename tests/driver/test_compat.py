# SPDX-License-Identifier: Apache-2.0
"""Programs that were written for the original."""

from __future__ import annotations

import importlib
import sys
import types

import pytest

from clara_fastio import driver
from clara_fastio.compat import CLARA_PATH, install_as_clara

ON_PATH = {"PYTHONPATH": f"{CLARA_PATH}:{CLARA_PATH.parents[1]}"}


@pytest.fixture
def clara(monkeypatch) -> types.ModuleType:
    monkeypatch.delitem(sys.modules, "clara", raising=False)
    install_as_clara()
    return importlib.import_module("clara")


def test_the_names_of_a_public_program_can_be_imported(clara) -> None:
    """Item 5."""
    from clara import Driver, Error, Payload

    assert (Driver, Error, Payload) == (clara.Driver, clara.Error, clara.Payload)
    assert Driver is driver.Driver


@pytest.mark.parametrize(
    "name",
    [
        "Driver",
        "Payload",
        "PayloadEntry",
        "PayloadCollection",
        "FastIOContext",
        "FastIOAllocation",
        "FastIOEntry",
    ],
)
def test_all_documented_classes_can_be_imported(clara, name) -> None:
    """Item 6."""
    assert isinstance(getattr(clara, name), type)


def test_success_is_zero_and_no_other_code_is(clara) -> None:
    """Part 1.7."""
    assert clara.Error.Success == 0
    assert [code for code in clara.Error if code == 0] == [clara.Error.Success]
    assert len(clara.Error) > 1


def test_every_error_can_be_caught_by_one_class(clara) -> None:
    """Part 10, row 6."""
    with pytest.raises(clara.FastIOError):
        clara.Driver().wait_for_completion()


def test_installing_twice_is_fine(clara) -> None:
    install_as_clara()
    assert sys.modules["clara"] is clara


def test_another_module_of_that_name_is_not_replaced(monkeypatch) -> None:
    other = types.ModuleType("clara")
    monkeypatch.setitem(sys.modules, "clara", other)
    with pytest.raises(ImportError, match="another module 'clara'"):
        install_as_clara()
    assert sys.modules["clara"] is other


def test_the_folder_on_the_path_offers_nothing_but_clara() -> None:
    names = {path.stem for path in CLARA_PATH.iterdir()} - {"__pycache__", "__init__"}
    assert names == {"clara"}


def test_the_module_on_the_path_has_the_same_classes(run_program) -> None:
    program = run_program(
        """
        import clara, clara_fastio.compat
        import clara_fastio.driver
        assert clara.__name__ == "clara"
        assert clara.Driver is clara_fastio.driver.Driver
        clara_fastio.compat.install_as_clara()
        print("same")
        """,
        environment=ON_PATH,
    )
    assert program.finish() == "same\n"


ORIGINAL = """
import os, pathlib, shutil
import clara
from clara import Driver, Error, Payload

def execute(driver, payload):
    source = os.environ.get("NVIDIA_CLARA_INPUTPATHS", "/input").split(":")[1]
    target = os.environ.get("NVIDIA_CLARA_OUTPUTPATHS", "/output").split(":")[1]
    for file in pathlib.Path(source).iterdir():
        shutil.copy2(file, target)
    if pathlib.Path(source, "bad").exists():
        raise Exception("1 bad file found")

if __name__ == "__main__":
    driver = Driver(execute_handler=execute)
    driver.start()
    driver.wait_for_completion()
    print("exited")
"""


@pytest.mark.parametrize("file", ["good", "bad"])
def test_a_program_for_the_original_runs_in_a_job(run_program, runner_end, tmp_path, file) -> None:
    """Items 2, 24, 26, 122 and 123."""
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    target.mkdir()
    (source / file).write_text("scan")
    program = run_program(
        ORIGINAL,
        environment={
            **ON_PATH,
            **runner_end.environment,
            "NVIDIA_CLARA_INPUTPATHS": f":{source}",
            "NVIDIA_CLARA_OUTPUTPATHS": f"dcmout:{target}",
        },
        pass_fds=[runner_end.fd],
    )
    runner_end.close_fd()
    runner_end.read_until(kind="phase", phase="waiting")
    assert not list(target.iterdir())
    runner_end.send(kind="ready")
    messages = runner_end.read_to_end()
    assert program.finish() == "exited\n"
    assert (target / file).read_text() == "scan"
    assert messages[-1] == {"kind": "completed", "succeeded": file == "good"}
    assert ("failed" in [message["kind"] for message in messages]) is (file == "bad")
