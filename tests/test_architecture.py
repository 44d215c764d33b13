"""The walls of the project: layers, absent halves, sizes, docstrings, mirrored tests."""

import ast
import pkgutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("protocol", "node", "inference_worker")
CHAIN = ("web3", "eth", "eth_abi", "eth_account", "eth_keys", "eth_utils", "rlp", "brownie", "solcx")
TENSOR = ("torch", "transformers", "peft", "safetensors", "numpy")
FORBIDDEN = {
    "protocol": CHAIN + TENSOR + ("aiohttp", "cryptography"),
    "node": TENSOR,
    "inference_worker": CHAIN,
}
# Needed where a GPU is, and by their own tests.
OF_TRITON = ("adapter_kernels", "attention_kernels", "row_kernels", "triton_ops")
LINES_HARD_STOP = 400
FUNCTION_HARD_STOP = 60


def sources(package: str) -> list[Path]:
    return sorted(path for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py")


def module_names(package: str) -> list[str]:
    found = pkgutil.walk_packages([str(ROOT / package)], prefix=f"{package}.")
    left = ("__main__", *(() if find_spec("triton") else OF_TRITON))
    return [module.name for module in found if not module.name.endswith(left)]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_cleanly_without_the_other_half(package: str) -> None:
    """SPEC 0.1: protocol needs only the standard library, the node no tensors, the worker no chain."""
    code = (
        "import importlib, sys\n"
        f"for banned in {FORBIDDEN[package]!r}: sys.modules[banned] = None\n"
        f"for name in {module_names(package)!r}: importlib.import_module(name)\n"
    )
    # A fresh interpreter: sys.modules of the test run may already hold what is banned.
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_banned_import_would_be_noticed(tmp_path: Path) -> None:
    """The check above can fail: the same interpreter set-up refuses a planted import."""
    code = "import sys\nsys.modules['torch'] = None\nimport torch\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0


def test_layers_hold() -> None:
    """SPEC 0.1: imports point upstream, never downstream."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("package", [*PACKAGES, "scripts", "benchmarks"])
def test_modules_are_documented_and_small(package: str) -> None:
    for path in sources(package):
        text = path.read_text()
        tree = ast.parse(text)
        where = path.relative_to(ROOT)
        assert ast.get_docstring(tree), f"{where} has no docstring"
        assert text.count("\n") <= LINES_HARD_STOP, f"{where} has {text.count(chr(10))} lines"
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (function.end_lineno or function.lineno) - function.lineno + 1
                assert length <= FUNCTION_HARD_STOP, f"{where}:{function.name} has {length} lines"


@pytest.mark.parametrize("package", PACKAGES)
def test_tests_mirror_the_sources(package: str) -> None:
    """A stage folder of the source tree has a folder of the same name in the tests."""
    stages = {path.parent.relative_to(ROOT) for path in sources(package)}
    missing = [str(stage) for stage in stages if not (ROOT / "tests" / stage).is_dir()]
    assert not missing, f"no tests/ folder for {sorted(missing)}"


def test_contracts_import_interfaces_not_each_other() -> None:
    """An implementation imports interfaces, libraries and OpenZeppelin only."""
    contracts = ROOT / "contracts"
    for path in contracts.rglob("*.sol"):
        if "mocks" in path.parts or "interfaces" in path.parts:
            continue
        for line in path.read_text().splitlines():
            if line.startswith("import") and "@openzeppelin" not in line:
                assert (
                    "/interfaces/" in line
                    or "/libraries/" in line
                    or path.parent.name in line
                    or '"./' in line
                ), f"{path.relative_to(ROOT)}: {line}"
