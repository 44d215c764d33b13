"""Mutation tests of the contracts that keep money: does a test notice when a ledger line is wrong?

`python scripts/mutate_contracts.py [--only NodeStaking] [--limit N] [--seed N]` changes one operator,
rounding or statement at a time, compiles the contract alone, and runs its tests on that bytecode until one
fails. A mutant whose bytecode is the original says nothing and is not counted. docs/CONTRACT_TESTS.md
explains the survivors.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent.parent
ARTIFACTS = ROOT / "node" / "chain" / "artifacts"
LEDGERS = {
    "contracts/staking/NodeStaking.sol": ("staking",),
    "contracts/payments/PaymentChannels.sol": ("payments",),
    "contracts/gateway/InferenceGateway.sol": ("gateway",),
    "contracts/settlement/EpochSettlement.sol": ("settlement", "rewards"),
    "contracts/rewards/RewardDistributor.sol": ("rewards",),
}
SWAPS = (
    (r" \+= ", " -= "),
    (r" -= ", " += "),
    (r" \+= ", " = "),
    (r" -= ", " = "),
    (r" < ", " <= "),
    (r" <= ", " < "),
    (r" > ", " >= "),
    (r" >= ", " > "),
    (r" == ", " != "),
    (r" != ", " == "),
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r" && ", " || "),
    (r" \|\| ", " && "),
    (r"Math\.min\(", "Math.max("),
    (r"/ 2", "/ 3"),
)
STATEMENT = re.compile(
    r"^\s+[\w.\[\]() ,]+ (=|\+=|-=) .*;$|^\s+(delete|_\w+\(|token\.|staking\.|settlement\.).*;$"
)
TIMEOUT = 600


@dataclass(frozen=True)
class Mutant:
    """One changed line of one contract."""

    path: str
    line: int
    before: str
    after: str


def mutants_of(path: str) -> Iterator[Mutant]:
    """Every single change of a line inside a function body."""
    depth = 0
    for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
        code = line.split("//")[0]
        inside = depth >= 2 or (
            depth == 1 and "{" in code and "function" not in code and "struct" not in code
        )
        depth += code.count("{") - code.count("}")
        if not inside or not code.strip() or code.strip().startswith(("*", "/*", "function", "emit")):
            continue
        for pattern, swapped in SWAPS:
            for place in re.finditer(pattern, code):
                yield Mutant(path, number, line, code[: place.start()] + swapped + code[place.end() :])
        if STATEMENT.match(code) and code.count("(") == code.count(")"):
            yield Mutant(path, number, line, "")


def compile_alone(path: str, text: str) -> dict[str, str] | None:
    """Creation and runtime code of the contract in `text`; None where it does not compile."""
    name = Path(path).stem
    order = {
        "language": "Solidity",
        "sources": {path: {"content": text}},
        "settings": {
            "optimizer": {"enabled": True, "runs": 200},
            "viaIR": True,
            "evmVersion": "cancun",
            "metadata": {"bytecodeHash": "none", "appendCBOR": False},
            "remappings": ["@openzeppelin=node_modules/@openzeppelin"],
            "outputSelection": {path: {name: ["evm.bytecode.object", "evm.deployedBytecode.object"]}},
        },
    }
    allowed = f"{ROOT},{(ROOT / 'node_modules').resolve()}"
    done = subprocess.run(
        [str(ROOT / "scripts" / "solc" / "solc"), "--standard-json", "--allow-paths", allowed],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"SOLC_JS": str((ROOT / "node_modules" / "solc").resolve())},
        check=True,
    )
    output = json.loads(done.stdout)
    if any(error["severity"] == "error" for error in output.get("errors", [])):
        return None
    built = output["contracts"][path][name]["evm"]
    return {
        "bytecode": "0x" + built["bytecode"]["object"],
        "deployedBytecode": "0x" + built["deployedBytecode"]["object"],
    }


def quickest_first(folders: tuple[str, ...]) -> list[str]:
    """The test files of those folders, machines last: most mutants fall to a unit test."""
    files = [file for part in folders for file in (ROOT / "tests" / "contracts" / part).glob("test_*.py")]
    return [
        str(file.relative_to(ROOT)) for file in sorted(files, key=lambda file: ("machine" in file.stem, file))
    ]


def is_killed(mutant: Mutant, code: dict[str, str]) -> bool:
    """Whether a test of its contract fails on it. A run that never ends counts as noticed."""
    name = Path(mutant.path).stem
    artifact = json.loads((ARTIFACTS / f"{name}.json").read_text()) | code
    with tempfile.TemporaryDirectory() as folder:
        for other in ARTIFACTS.glob("*.json"):
            (Path(folder) / other.name).write_text(
                json.dumps(artifact) if other.stem == name else other.read_text()
            )
        tests = quickest_first(LEDGERS[mutant.path])
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:pytest-brownie",
            "-q",
            "-x",
            "--no-header",
            "-m",
            "not slow",
            *tests,
        ]
        environment = os.environ | {"OPENLEDGER_CONTRACT_ARTIFACTS": folder, "HYPOTHESIS_PROFILE": "mutation"}
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return True
    return done.returncode == 1


def swapped(mutant: Mutant) -> str:
    """The whole source with the one line changed."""
    lines = (ROOT / mutant.path).read_text().splitlines()
    lines[mutant.line - 1] = mutant.after
    return "\n".join(lines) + "\n"


def run(arguments: argparse.Namespace) -> int:
    """Judges the mutants one by one; returns the number of survivors."""
    paths = [path for path in LEDGERS if not arguments.only or Path(path).stem in arguments.only]
    survivors: list[Mutant] = []
    killed = 0
    for path in paths:
        original = compile_alone(path, (ROOT / path).read_text())
        drawn = list(mutants_of(path))
        Random(arguments.seed).shuffle(drawn)
        for mutant in drawn[: arguments.limit]:
            code = compile_alone(path, swapped(mutant))
            if code is None or code == original:
                continue
            dead = is_killed(mutant, code)
            killed += dead
            if not dead:
                survivors.append(mutant)
            word = "killed  " if dead else "SURVIVED"
            change = f"{mutant.before.strip()}  ->  {mutant.after.strip() or '(removed)'}"
            print(f"{word} {path}:{mutant.line}: {change}", flush=True)
    total = killed + len(survivors)
    print(f"{killed} of {total} killed ({100 * killed / max(1, total):.1f} %), seed {arguments.seed}")
    return len(survivors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="contract names")
    parser.add_argument("--limit", type=int, default=40, help="mutants of each contract, drawn by the seed")
    parser.add_argument("--seed", type=int, default=1)
    run(parser.parse_args())


if __name__ == "__main__":
    main()
