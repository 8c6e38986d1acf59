# SPDX-License-Identifier: Apache-2.0
"""The rules of the tree, checked by reading it."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "clara_fastio"
FACE = "clara_fastio"

#: What each part of the package may import, lowest first; arrows never turn back.
MAY_IMPORT = {
    "errors": set(),
    "types": {"errors"},
    "streams": {"errors"},
    "devices": set(),
    "_core": {"errors", "types", "streams", "devices"},
    "gathering": {"errors", "_core"},
    "driver": {"errors", "types", "streams", "_core"},
    "compat": {"errors", "types", "_core", "driver"},
    FACE: {"errors", "types", "streams", "devices", "_core", "gathering", "driver", "compat"},
    "testing": {"errors", "types", "_core", FACE},
    "pipeline": {"errors", "types", "streams"},
    "runner": {"errors", "types", "streams", "pipeline", FACE},
    "platform": {"errors", "types", "pipeline", "runner"},
    "doctor": {"devices", FACE},
    "cli": {"errors", "types", "pipeline", "runner", "platform", "doctor", FACE},
}

#: Too heavy, or not installed, where only `import clara_fastio` is wanted.
HEAVY = {"cupy", "grpc", "psutil", "rich", "ruamel", "sqlalchemy", "torch", "typer"}

SOURCE_SUFFIXES = {".cpp", ".hpp", ".py", ".pyi", ".pyx", ".pxd", ".proto", ".pml"}


def sources(*folders: str) -> list[Path]:
    """List hand-written source files, generated code aside."""
    files = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return sorted(
        path for path in files if path.suffix in SOURCE_SUFFIXES and "_proto" not in path.parts
    )


ALL_SOURCES = sources("cpp", "src", "tests", "bench", "examples", "docs")
MODULES = [path for path in sources("src") if path.suffix == ".py"]
CYTHON = [path for path in sources("src") if path.suffix in {".pyx", ".pxd"}]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def part_of(name: str) -> str:
    """Name the part that a full module name belongs to."""
    names = name.split(".")
    inner = names[1] if len(names) > 1 else ""
    is_part = (PACKAGE / inner).is_dir() or (PACKAGE / f"{inner}.py").exists()
    return inner if inner and is_part else FACE


def module_name(path: Path) -> str:
    names = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def imported_names(path: Path) -> Iterator[str]:
    """Name what a module imports, at the top or inside functions, relative imports resolved."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package.pop()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_imports_point_down(path: Path) -> None:
    part = part_of(module_name(path))
    assert part in MAY_IMPORT, f"{part} has no place in the order of imports"
    ours = {name for name in imported_names(path) if name.split(".")[0] == FACE}
    wrong = {name for name in ours if part_of(name) not in MAY_IMPORT[part] | {part}}
    assert not wrong, f"{part} may not import {sorted(wrong)}"


@pytest.mark.parametrize("path", CYTHON, ids=relative)
def test_cython_imports_only_the_core(path: Path) -> None:
    statement = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w.]+))", re.MULTILINE)
    names = {first or second for first, second in statement.findall(path.read_text())}
    ours = {name for name in names if name.split(".")[0] == FACE}
    wrong = {name for name in ours if part_of(name) not in MAY_IMPORT["_core"] | {"_core"}}
    assert not wrong


def test_importing_the_package_is_light() -> None:
    program = (
        "import sys, clara_fastio; print(*{name.partition('.')[0] for name in sys.modules});"
        "print(open('/proc/self/maps').read())"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=30
    ).stdout
    loaded, _, maps = output.partition("\n")
    assert not HEAVY & set(loaded.split())
    assert "libcuda" not in maps


def test_python_header_is_named_once() -> None:
    users = [path for path in sources("cpp", "src") if "Python.h" in path.read_text()]
    assert [relative(path) for path in users] == ["src/clara_fastio/_core/translate.hpp"]


def test_the_cpp_library_does_not_know_python() -> None:
    files = [*sources("cpp"), ROOT / "cpp" / "CMakeLists.txt"]
    assert not [relative(path) for path in files if "python" in path.read_text().lower()]


@pytest.mark.parametrize("path", ALL_SOURCES, ids=relative)
def test_source_file_is_short_and_licensed(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 500
    head = lines[1] if lines and lines[0].startswith("#!") else "".join(lines[:1])
    assert "SPDX-License-Identifier: Apache-2.0" in head


@pytest.mark.parametrize(
    "path", [path for path in MODULES if "\n__all__ = " in path.read_text()], ids=relative
)
def test_public_names_are_sorted_and_exist(path: Path) -> None:
    module = importlib.import_module(module_name(path))
    assert list(module.__all__) == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


def test_the_package_lists_its_public_names() -> None:
    package = importlib.import_module(FACE)
    modules = {name for name in dir(package) if part_of(f"{FACE}.{name}") != FACE}
    public = {name for name in dir(package) if not name.startswith("_")} - modules
    assert public == {name for name in package.__all__ if not name.startswith("_")} - modules
