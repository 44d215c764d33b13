"""The one vendored file is the one that was built: its hash, its licences, and, after npm, a fresh build."""

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VENDOR = ROOT / "dapp" / "vendor"


def test_the_bundle_has_its_recorded_hash() -> None:
    """SPEC 10.16"""
    recorded, name = (VENDOR / "viem.js.sha256").read_text().split()
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == recorded


def test_nothing_else_is_vendored_and_the_licences_are_there() -> None:
    """SPEC 10.16"""
    assert {path.name for path in VENDOR.iterdir()} == {"viem.js", "viem.js.sha256", "viem.LICENSES.txt"}
    notice = (VENDOR / "viem.LICENSES.txt").read_text()
    assert "=== viem 2.57.0 (MIT) ===" in notice
    assert len(re.findall(r"^=== \S+ \S+ \(MIT\) ===$", notice, re.MULTILINE)) == 8


def test_a_fresh_build_gives_the_same_bytes() -> None:
    """SPEC 10.16"""
    node = shutil.which("node")
    if node is None or not (ROOT / "node_modules" / "esbuild").is_dir():
        pytest.skip("npm packages are not installed")
    subprocess.run([node, "scripts/build_viem.mjs", "--check"], cwd=ROOT, check=True, timeout=120)


@pytest.mark.parametrize("path", sorted((ROOT / "dapp" / "js").glob("*.js")), ids=lambda path: path.name)
def test_scripts_import_from_this_site_only_and_evaluate_nothing(path: Path) -> None:
    """SPEC 10.2"""
    text = path.read_text()
    imported = re.findall(r'from "([^"]+)"', text)
    assert all(
        name.startswith(("/js/", "/vendor/")) and (ROOT / "dapp" / name[1:]).is_file() for name in imported
    )
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
    )
