# SPDX-License-Identifier: Apache-2.0
"""Reusable payloads become the input of a job, and stay what they are."""

from __future__ import annotations

import pytest

from clara_fastio.errors import AlreadyExistsError
from clara_fastio.platform.payloads.copying import copy_file
from clara_fastio.platform.records.payloads import PayloadType
from tests.platform.payloads.shelf import Shelf

#: Copies a file of a mode as a user without rights, and says how many names it has.
UNPRIVILEGED = """
    import os, sys, tempfile
    from pathlib import Path
    from clara_fastio.platform.payloads.copying import copy_file
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        source.mkdir()
        target.mkdir()
        (source / "a").write_bytes(b"12345")
        (source / "a").chmod(int(sys.argv[1], 8))
        copy_file(source, ("a",), target, ("deep", "b"))
        copy = target / "deep" / "b"
        print(copy.read_bytes(), copy.stat().st_nlink, oct(copy.stat().st_mode & 0o777))
    """


def test_files_of_several_payloads_are_copied_in_their_order(store, shelf, job_shelf):
    other = Shelf(store, PayloadType.REUSABLE)
    shelf.put("a", b"1")
    shelf.put("deep/b", b"22", mode=0o755)
    other.put("deep/c", b"333")
    store.copy_into(job_shelf.id, [shelf.id, other.id])
    found = {file.name: (file.size, file.mode) for file in store.files(job_shelf.id)}
    assert found == {
        "/input/a": (1, 0o444),
        "/input/deep/b": (2, 0o755),
        "/input/deep/c": (3, 0o444),
    }
    assert store.usage.size(job_shelf.id) == 6


@pytest.mark.parametrize(("first", "second"), [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_payloads_that_do_not_fit_together_are_refused(store, shelf, job_shelf, first, second):
    other = Shelf(store, PayloadType.REUSABLE)
    shelf.put(first, b"1")
    other.put(second, b"2")
    with pytest.raises(AlreadyExistsError, match=f"'/{second}'.*{other.id}"):
        store.copy_into(job_shelf.id, [shelf.id, other.id])


def test_names_that_differ_in_case_fit_together(store, shelf, job_shelf):
    other = Shelf(store, PayloadType.REUSABLE)
    shelf.put("a", b"1")
    other.put("A", b"2")
    store.copy_into(job_shelf.id, [shelf.id, other.id])
    assert job_shelf.names() == ["/input/A", "/input/a"]


def test_what_a_job_does_to_its_input_changes_no_other(store, shelf, job_shelf):
    shelf.put("a", b"original", mode=0o644)
    store.copy_into(job_shelf.id, [shelf.id])
    with (job_shelf.folder / "input" / "a").open("r+b") as file:
        file.write(b"spoilt!!")
    assert shelf.get("a") == b"original"


def test_a_replaced_or_deleted_payload_leaves_its_copies(store, shelf, job_shelf):
    shelf.put("a", b"original")
    store.copy_into(job_shelf.id, [shelf.id])
    shelf.put("a", b"new")
    store.delete(shelf.id)
    assert job_shelf.get("/input/a") == b"original"


@pytest.mark.parametrize(("mode", "names"), [("0o444", 2), ("0o644", 1)])
def test_a_file_is_linked_when_nobody_may_write_it(run_program, mode, names):
    program = run_program(UNPRIVILEGED, mode)
    assert program.finish() == f"b'12345' {names} {mode}\n"


def test_the_administrator_gets_a_copy(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "target").mkdir()
    source = tmp_path / "source" / "a"
    source.write_bytes(b"x" * 100_000)
    source.chmod(0o444)
    assert copy_file(tmp_path / "source", ("a",), tmp_path / "target", ("a",)) == 100_000
    assert (tmp_path / "target" / "a").read_bytes() == source.read_bytes()


def test_a_name_that_is_taken_is_left_alone(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    with pytest.raises(FileExistsError):
        copy_file(tmp_path, ("a",), tmp_path, ("b",))
    assert (tmp_path / "b").read_bytes() == b"2"
