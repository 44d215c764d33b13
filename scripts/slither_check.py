"""Slither over the contracts: exits with 1 at a finding of medium or high impact that nobody has explained.

Runs in the audit environment (`scripts/setup.sh audit`): `.tools/audit/bin/python scripts/slither_check.py`.
Explanations stand in scripts/slither_explained.json as {"check contract.function": "why it is no fault"};
one that explains nothing any more is an error too. OpenZeppelin's own code is not ours to judge here.
"""

import inspect
import json
import os
import sys
from pathlib import Path
from typing import Any

from crytic_compile import CryticCompile
from crytic_compile.platform.solc_standard_json import SolcStandardJson
from slither import Slither
from slither.detectors import all_detectors
from slither.detectors.abstract_detector import AbstractDetector, DetectorClassification

ROOT = Path(__file__).resolve().parent.parent
EXPLAINED = Path(__file__).with_name("slither_explained.json")
SERIOUS = (DetectorClassification.HIGH, DetectorClassification.MEDIUM)
SKIPPED = ("interfaces", "mocks", "attack")


def compiled() -> CryticCompile:
    """One compilation of every contract, with the settings that it is deployed with."""
    os.chdir(ROOT)
    os.environ["SOLC_JS"] = str(ROOT / "node_modules" / "solc")
    source = SolcStandardJson()
    for path in sorted((ROOT / "contracts").rglob("*.sol")):
        if path.parent.name not in SKIPPED:
            source.add_source_file(str(path.relative_to(ROOT)))
    source.add_remapping("@openzeppelin=node_modules/@openzeppelin")
    settings = source.to_dict()["settings"]
    settings |= {"evmVersion": "cancun", "viaIR": True, "optimizer": {"enabled": True, "runs": 200}}
    return CryticCompile(source, solc=str(ROOT / "scripts" / "solc" / "solc"))


def serious_findings() -> dict[str, str]:
    """What the detectors of medium and high impact say of our own contracts, by "check contract.function"."""
    slither = Slither(compiled())
    for _, detector in inspect.getmembers(all_detectors, inspect.isclass):
        if issubclass(detector, AbstractDetector) and detector.IMPACT in SERIOUS:
            slither.register_detector(detector)
    found: dict[str, str] = {}
    for result in (one for group in slither.run_detectors() for one in group):
        first = result["elements"][0]
        if first["source_mapping"]["filename_relative"].startswith("contracts/"):
            found[f"{result['check']} {_name(first)}"] = result["description"].strip()
    return found


def _name(element: dict[str, Any]) -> str:
    """contract.function of what a finding is about."""
    names = [element["name"]]
    parent = element.get("type_specific_fields", {}).get("parent")
    while parent:
        names.append(parent["name"])
        parent = parent.get("type_specific_fields", {}).get("parent")
    # Finer than a function is a moving target.
    named = list(reversed(names))
    return ".".join(named[:2])


def main() -> None:
    found = serious_findings()
    explained: dict[str, str] = json.loads(EXPLAINED.read_text())
    for key in sorted(found.keys() - explained.keys()):
        print(f"UNEXPLAINED {key}\n    {found[key]}")
    for key in sorted(explained.keys() - found.keys()):
        print(f"explains nothing any more: {key}")
    print(f"{len(found)} findings of medium or high impact, {len(found.keys() & explained.keys())} explained")
    sys.exit(0 if found.keys() == explained.keys() else 1)


if __name__ == "__main__":
    main()
