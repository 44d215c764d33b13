"""The rules need the standard library alone, and of it nothing that reads a clock, a file or the network."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in (ROOT / "protocol").glob("*.py") if path.stem != "__init__")
IMPURE = {
    "asyncio",
    "datetime",
    "io",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "sqlite3",
    "subprocess",
    "sys",
}
IMPURE |= {"tempfile", "threading", "time", "urllib", "http", "logging", "uuid"}


def import_all(extra=""):
    # -S leaves site-packages out, -I the environment: what remains is the standard library and this tree.
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{extra}\nimport importlib\n"
    code += f"for name in {MODULES!r}: importlib.import_module('protocol.' + name)\n"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=60
    )


def test_protocol_imports_with_the_standard_library_alone():
    """SPEC 0.1"""
    done = import_all()
    assert done.returncode == 0, done.stderr


def test_the_check_would_notice_another_package():
    """SPEC 0.1: in that interpreter a package of the environment cannot be imported."""
    assert import_all("import hypothesis").returncode != 0


@pytest.mark.parametrize("name", MODULES)
def test_protocol_has_no_clock_no_randomness_no_io(name):
    """SPEC 0.1"""
    tree = ast.parse((ROOT / "protocol" / f"{name}.py").read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "print", "input", "exec", "eval"), (
                f"{name} calls {node.func.id}"
            )
    assert not imported & IMPURE
    assert imported <= set(sys.stdlib_module_names) | {"protocol"}
