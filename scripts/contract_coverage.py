"""Statement and branch coverage of the contracts by their tests, as Brownie's source maps define both.

`python scripts/contract_coverage.py [pytest arguments]` compiles a copy without the IR pipeline (which drops
inlined functions from the maps), runs the fast tests of tests/contracts on py-evm with that code, and prints
a table; below 95 % of either it exits with 1. docs/CONTRACT_TESTS.md says what is not covered and why.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
FOLDER = ROOT / "build" / "coverage"
HITS = ROOT / "build" / "coverage-hits.json"
GOAL = 95.0
KEPT = ("abi", "bytecode", "deployedBytecode", "pcMap", "coverageMap", "allSourcePaths")
Hits = dict[str, tuple[set[int], set[int], set[int]]]
NONE: tuple[set[int], set[int], set[int]] = (set(), set(), set())


def compile_copies() -> None:
    """Brownie's builds into build/coverage, without the IR pipeline where the stack is deep enough."""
    from brownie.exceptions import CompilerError

    sources = {
        str(path.relative_to(ROOT)): path.read_text() for path in sorted((ROOT / "contracts").rglob("*.sol"))
    }
    deep: dict[str, str] = {}
    while True:
        try:
            builds = _built({path: text for path, text in sources.items() if path not in deep}, via_ir=False)
            break
        except CompilerError as error:
            found = re.search(r"Stack too deep.*?--> (contracts/[\w/]+\.sol)", str(error), re.DOTALL)
            if found is None:
                raise
            print(f"{found[1]} needs the IR pipeline: what that inlines is missing from its maps")
            deep[found[1]] = sources[found[1]]
    if deep:
        builds |= {name: one for name, one in _built(deep, via_ir=True).items() if one["sourcePath"] in deep}
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.json"):
        old.unlink()
    for name, build in builds.items():
        if build["bytecode"] and build["sourcePath"].startswith("contracts/"):
            (FOLDER / f"{name}.json").write_text(json.dumps({key: build[key] for key in KEPT}))


def _built(sources: dict[str, str], via_ir: bool) -> dict[str, Any]:
    from brownie.project import compiler

    built: dict[str, Any] = compiler.compile_and_format(
        sources,
        solc_version="0.8.37",
        evm_version="cancun",
        optimizer={"enabled": True, "runs": 200},
        viaIR=via_ir,
        allow_paths=str(ROOT),
        remappings=["@openzeppelin=node_modules/@openzeppelin"],
    )
    return built


def run_tests(arguments: list[str]) -> int:
    """The contract tests over those builds; returns pytest's exit code."""
    command = [sys.executable, "-m", "pytest", "-p", "no:pytest-brownie", "-q", "tests/contracts"]
    command += [
        "--ignore=tests/contracts/test_brownie.py",
        "--ignore=tests/contracts/test_gas.py",
        # This build is larger than the one that is deployed.
        "--deselect=tests/contracts/governance/test_roles.py::test_contracts_stay_within_their_size",
        "-m",
        "not slow",
        *arguments,
    ]
    environment = os.environ | {
        "OPENLEDGER_CONTRACT_ARTIFACTS": str(FOLDER),
        "OPENLEDGER_CONTRACT_HITS": str(HITS),
    }
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def table(builds: dict[str, Any], hits: Hits) -> list[tuple[str, int, int, int, int, list[str]]]:
    """By source file: statements run of all, branch sides taken of all, and what is missing as path:line."""
    wanted: dict[str, tuple[dict[Any, bool], dict[Any, bool], list[str]]] = {}
    for name, build in builds.items():
        for kind, place in (("statements", 0), ("branches", 1)):
            for source, functions in build["coverageMap"][kind].items():
                path = build["allSourcePaths"][source]
                if path.startswith("contracts/"):
                    entry = wanted.setdefault(path, ({}, {}, []))
                    _count(entry, hits.get(f"{name} {source}", NONE), place, functions)
    return [
        (path, sum(s.values()), len(s), sum(b.values()), len(b), missing(path, s, b))
        for path, (s, b, _) in sorted(wanted.items())
    ]


def _count(entry: Any, found: tuple[set[int], set[int], set[int]], place: int, functions: Any) -> None:
    statements, fell, jumped = found
    for items in functions.values():
        for index, span in items.items():
            sides = (statements,) if place == 0 else (fell, jumped)
            for side, seen in enumerate(sides):
                spot = (*span[:2], side)
                entry[place][spot] = entry[place].get(spot, False) or int(index) in seen


def missing(path: str, statements: dict[Any, bool], branches: dict[Any, bool]) -> list[str]:
    """Source lines of what never ran."""
    text = (ROOT / path).read_text()
    lines = {text.count("\n", 0, spot[0]) + 1 for spot, hit in statements.items() if not hit}
    sides = {text.count("\n", 0, spot[0]) + 1 for spot, hit in branches.items() if not hit}
    return [f"{path}:{line}" for line in sorted(lines)] + [
        f"{path}:{line} (branch)" for line in sorted(sides)
    ]


def report() -> bool:
    """Prints the table; True where both figures reach the goal."""
    builds = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
    hits = {
        f"{name} {path}": (set(statements), set(fell), set(jumped))
        for name, path, statements, fell, jumped in json.loads(HITS.read_text())
    }
    rows = [row for row in table(builds, hits) if row[2] and "/mocks/" not in row[0]]
    for path, ran, statements, taken, branches, gaps in rows:
        print(f"{path:48} {_share(ran, statements)}  {_share(taken, branches)}")
        for gap in gaps:
            print(f"    not covered: {gap}")
    lines = _percent(sum(row[1] for row in rows), sum(row[2] for row in rows))
    sides = _percent(sum(row[3] for row in rows), sum(row[4] for row in rows))
    print(f"statements {lines:.2f} %, branch sides {sides:.2f} %; the goal is {GOAL} % of each")
    return min(lines, sides) >= GOAL


def _share(part: int, whole: int) -> str:
    return f"{_percent(part, whole):6.1f} % of {whole:3}"


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 100.0


def main() -> None:
    from scripts.brownie_run import brownie_environment, link_compiler

    if sys.argv[1:] == ["--compile"]:
        compile_copies()
        return
    link_compiler()
    compiled = subprocess.run(
        [sys.executable, __file__, "--compile"],
        cwd=ROOT,
        env=brownie_environment(dict(os.environ)),
        check=False,
    )
    failed = compiled.returncode or run_tests(sys.argv[1:])
    sys.exit(failed or (0 if report() else 1))


if __name__ == "__main__":
    main()
