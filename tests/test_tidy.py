"""The house rules that a machine can check (HOUSE.md): arrows, sizes, docstrings, writers."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "regime3"
FILES = sorted(SOURCE.rglob("*.py"))
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
GROUND = {"errors", "clock", "paths", "config", "records"}
BASE = {"disk", "control", "deaths", "listening", "exposure", "tokens"}
ROOMS = {
    *("score", "spool", "stream", "train", "vault", "status", "web", "doctor", "port", "bench"),
    *("engine", "registry", "ship", "jobs", "power", "client", "forge"),
}
MODEL = {"model", "lang", "tasks"}
MODEL_READS: dict[str, set[str]] = {"lang": set(), "tasks": {"lang"}, "model": {"lang"}}
"""The language knows neither tasks nor models; both speak it."""
FLOORS = [GROUND, BASE, MODEL]
TORCH_FREE = {
    *("spool", "vault", "status", "web", "supervisor", "doctor", "daemon", "control", "acting"),
    *("serve", "registry", "ship", "jobs", "power", "client", "forge"),
}
MAY_READ_ROOMS = {
    # Sibling rooms that read what another room writes, by its own reader and nothing more.
    ("doctor", "spool"),
    ("doctor", "vault"),
    ("doctor", "status"),
    ("web", "status"),
    ("web", "judge"),
    ("web", "forge"),
    ("web", "evolution"),
    ("web", "lineage"),
    ("web", "vault"),
    # What the other box says of itself.
    ("web", "client"),
    # The page acts by the functions of the command line.
    ("web", "acting"),
    # And takes away what the command takes away.
    ("web", "export"),
    ("train", "port"),
    ("forge", "status"),
    ("forge", "spool"),
    # The forge has its rows from a node.
    ("forge", "client"),
    # A log of lines, as the events are kept.
    ("power", "status"),
    # Arithmetic alone.
    ("jobs", "score"),
}
TORCH_PACKAGES = {"torch", "transformers", "accelerate", "safetensors", "tokenizers"}


def room_of(path: Path) -> str:
    relative = path.relative_to(SOURCE)
    return relative.parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    """Modules imported anywhere in a file, except those for type checkers alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body = []
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
            if node.module == "regime3":
                found += [f"regime3.{alias.name}" for alias in node.names]
    return found


def rooms_imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("regime3.")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_arrow_runs_back(path: Path) -> None:
    room = room_of(path)
    imported = rooms_imported(path) - {room}
    if room in GROUND:
        assert imported <= GROUND
    elif room in BASE:
        assert imported <= GROUND | {"disk", "exposure"}
    elif room in MODEL:
        assert imported <= GROUND | BASE | MODEL_READS[room]
    elif room in ROOMS - {"bench"}:
        allowed = GROUND | BASE | MODEL | {b for a, b in MAY_READ_ROOMS if a == room}
        assert imported <= allowed
    else:
        assert room == "cli" or "cli" not in imported or room in ("__main__", "demo", "recipe")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_supervisors_side_never_imports_torch(path: Path) -> None:
    if room_of(path) in TORCH_FREE | GROUND | BASE:
        assert not {name.split(".")[0] for name in imports(path)} & TORCH_PACKAGES


def test_importing_the_supervisor_and_the_page_loads_no_torch() -> None:
    code = (
        "import sys, regime3.daemon, regime3.web, regime3.serve, regime3.cli.app, regime3.doctor; "
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_fits_a_sitting(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= FILE_LINES_MAX
    assert ast.get_docstring(ast.parse(text)), "a module says what it is"


def functions() -> list[tuple[str, int]]:
    found = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                found.append((f"{path.relative_to(SOURCE)}:{node.name}", lines))
    return found


def test_functions_stay_short() -> None:
    sizes = functions()
    assert [name for name, lines in sizes if lines > FUNCTION_LINES_MAX] == []
    assert statistics.median(lines for _, lines in sizes) <= 12


def test_files_stay_small() -> None:
    assert statistics.median(len(path.read_text().splitlines()) for path in FILES) <= 200


WRITERS = re.compile(
    r"\b(os\.(replace|rename|unlink|remove|link|symlink|truncate|ftruncate)\(|shutil\.(rmtree|move|copy)"
    r"|\.write_text\(|\.write_bytes\(|\.unlink\(|\.rename\(|\.touch\()"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_disk_writes(path: Path) -> None:
    if path.name == "disk.py" or room_of(path) == "bench":
        return
    text = re.sub(r"\bdisk\.\w+\(", "", path.read_text(encoding="utf-8"))
    assert WRITERS.findall(text) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_file_is_named_for_being_a_drawer(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


def test_nothing_names_a_machine_or_a_registry() -> None:
    root = SOURCE.parents[1]
    tracked = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True)
    for name in tracked.stdout.split():
        path = root / name
        if (
            path.suffix in {".py", ".md", ".toml", ".txt", ".js", ".html", ".css"}
            or name == "Makefile"
        ):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"https?://(pypi|registry\.npm|files\.pythonhosted)", text), name
