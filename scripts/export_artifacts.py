"""Writes the compiled suite to node/chain/artifacts, so that running a node needs no compiler.

`python scripts/export_artifacts.py` compiles through Brownie first; `--check` writes nothing and fails when a
committed artifact differs from what the sources give.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "contracts"
ARTIFACTS = ROOT / "node" / "chain" / "artifacts"
FOLDERS = (
    "token",
    "datanet",
    "models",
    "staking",
    "payments",
    "gateway",
    "settlement",
    "rewards",
    "governance",
    "examples",
    "disputes",
    "mocks",
)


def contract_names() -> list[str]:
    """The deployable contracts: one of the file's name in every file outside interfaces and libraries."""
    files = (path for folder in FOLDERS for path in (ROOT / "contracts" / folder).glob("*.sol"))
    return sorted(path.stem for path in files if f"abstract contract {path.stem} " not in path.read_text())


def artifact(name: str, built: dict[str, Any]) -> str:
    """The committed form of one Brownie build file; stable bytes for stable sources."""
    compiler = built["compiler"]
    kept = {
        "name": name,
        "compiler": {
            "version": compiler["version"],
            "evmVersion": compiler["evm_version"],
            "optimizer": compiler["optimizer"],
            "viaIR": compiler.get("viaIR", True),
        },
        "abi": built["abi"],
        "bytecode": "0x" + built["bytecode"].removeprefix("0x"),
        "deployedBytecode": "0x" + built["deployedBytecode"].removeprefix("0x"),
    }
    return json.dumps(kept, indent=1) + "\n"


def current_artifacts() -> dict[Path, str]:
    """Every artifact the sources give now, by the path it belongs at."""
    # All of them: what a contract compiles to depends, to the byte, on what is compiled with it.
    run = [sys.executable, str(ROOT / "scripts" / "brownie_run.py"), "compile", "--all"]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0 or "Error" in done.stdout.rpartition("Project has been compiled")[2]:
        sys.exit(done.stdout + done.stderr)
    texts = {}
    for name in contract_names():
        built = json.loads((BUILD / f"{name}.json").read_text())
        texts[ARTIFACTS / f"{name}.json"] = artifact(name, built)
    return texts


def stale(texts: dict[Path, str]) -> list[Path]:
    """Artifacts that are missing, differ, or have no source any more."""
    wrong = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    return sorted(wrong + [path for path in ARTIFACTS.glob("*.json") if path not in texts])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the committed artifacts are not fresh")
    arguments = parser.parse_args()
    texts = current_artifacts()
    wrong = stale(texts)
    if arguments.check:
        sys.exit(f"stale: {[path.name for path in wrong]}" if wrong else 0)
    for path in wrong:
        if path in texts:
            path.write_text(texts[path])
        else:
            path.unlink()
    print(f"{len(texts)} artifacts, {len(wrong)} changed")


if __name__ == "__main__":
    main()
