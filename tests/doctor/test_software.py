# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import platform
import sys

import pytest

from clara_fastio.doctor import software

MAPS = """\
7f00-7f01 r-xp 00000000 fe:00 7 /opt/site/clara_fastio/_core/libclara_fastio.so
7f01-7f02 r--p 00001000 fe:00 7 /opt/site/clara_fastio/_core/libclara_fastio.so
7f02-7f03 rw-s 00000000 00:01 9 /memfd:clara-fastio:scan:0 (deleted)
7f03-7f04 rw-p 00000000 00:00 0
7f04-7f05 r-xp 00000000 fe:00 8 /my build/libclara_fastio.so
"""


def test_versions_and_places_are_told():
    (python,) = software.python()
    (package,) = software.package()
    assert python.found == f"{platform.python_version()}, {sys.executable}"
    assert (python.state, package.state) == ("ok", "ok")
    assert package.details["path"].endswith("clara_fastio")


def test_library_beside_the_modules_is_the_one_that_is_loaded():
    (found,) = software.core_library()
    assert found.state == "ok", found
    assert len(found.details["paths"]) == 1


def test_library_of_another_build_is_a_warning(run_program):
    program = """
        from clara_fastio.doctor import software
        print(*[one.state for one in software.core_library()])
    """
    assert run_program(program, kill_points=True).read_line() == "warning"


def test_libraries_are_read_from_the_maps():
    assert software.libraries(MAPS) == [
        "/my build/libclara_fastio.so",
        "/opt/site/clara_fastio/_core/libclara_fastio.so",
    ]


@pytest.mark.parametrize(
    ("release", "expected"),
    [("6.18.44-fc", True), ("5.3", True), ("5.2.9", False), ("4.19.0-26", False), ("odd", True)],
)
def test_kernel_is_compared_by_its_numbers(release, expected):
    assert software.is_kernel_new_enough(release) is expected


def test_this_kernel_seals_memory():
    # Nothing else of this library would work without.
    (found,) = software.sealed_memory()
    assert found.state == "ok", found


def test_memory_that_is_not_sealed_is_noticed(monkeypatch):
    monkeypatch.setattr(software, "_F_SEAL_FUTURE_WRITE", 0)
    (found,) = software.sealed_memory()
    assert found.state == "problem"
    assert "mapping it for writing is not refused" in found.found


def test_seal_that_the_kernel_does_not_know_is_noticed(monkeypatch):
    monkeypatch.setattr(software, "_F_SEAL_FUTURE_WRITE", 0x4000)
    (found,) = software.sealed_memory()
    assert found.state == "problem"
    assert "Invalid argument" in found.found


def test_flag_that_the_kernel_does_not_know_is_absent(monkeypatch):
    monkeypatch.setattr(software, "_MFD_NOEXEC_SEAL", 0x4000)
    (found,) = software.memory_without_execution()
    assert found.state == "absent"
    assert "Invalid argument" in found.found
