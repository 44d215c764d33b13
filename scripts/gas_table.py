"""docs/GAS.md: what settling costs per inference, computed from the gas that the tests measured.

`python scripts/gas_table.py` writes the page from tests/contracts/gas_snapshot.json; `--check` fails when it
is not what the snapshot gives.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SNAPSHOT = ROOT / "tests" / "contracts" / "gas_snapshot.json"
PAGE = ROOT / "docs" / "GAS.md"
VOUCHER = "PaymentChannels.claimMany (25 vouchers, each)"
CLAIM = "RewardDistributor.claim, own, repeated (depth 17)"
REQUEST, FULFIL = "InferenceGateway.request", "InferenceGateway.fulfil"
STATEMENT, COMMIT, FINALIZE = (
    f"EpochSettlement.{name}" for name in ("publishStatement", "commit", "finalize")
)
RELAYED = CLAIM.replace("own", "relayed")
LIMITS = {"EpochSettlement.commit": 150_000, CLAIM: 80_000, RELAYED: 80_000, VOUCHER: 30_000}
PROOF_LIMIT = 250_000
LARGE_PROOFS = {
    "proveUnderpaid": 270_000,
    "proveWrongShares": 320_000,
    "proveOmission": 330_000,
    "proveWithheldRow": 260_000,
    "proveWrongScore": 350_000,
    "proveOmittedRow": 380_000,
}


@dataclass(frozen=True)
class Load:
    """A network's day: who settles how often. Channels are claimed weekly, earners claim monthly."""

    inferences: int
    channels: int
    earners: int
    nodes: int


LOADS = (
    Load(10_000, channels=200, earners=500, nodes=3),
    Load(1_000_000, channels=6_000, earners=20_000, nodes=50),
    Load(10_000_000, channels=20_000, earners=60_000, nodes=200),
)


def parts(load: Load, gas: dict[str, int]) -> dict[str, float]:
    """Gas per inference by what causes it; one epoch a day."""
    daily = {
        "vouchers": load.channels / 7 * gas[VOUCHER],
        "statements": load.nodes * gas[STATEMENT],
        "commitment": gas[COMMIT] + gas[FINALIZE],
        "claims": load.earners / 30 * gas[CLAIM],
    }
    return {name: amount / load.inferences for name, amount in daily.items()}


def bound_of(name: str) -> int:
    """The most gas that a call of the record may take; 0 where nothing is set."""
    contract, _, function = name.split(" ")[0].partition(".")
    if contract.endswith(("Faults", "FaultProofs")) and function.startswith("prove"):
        return LARGE_PROOFS.get(function, PROOF_LIMIT)
    return LIMITS.get(name, 0)


def page(gas: dict[str, int]) -> str:
    """The whole page."""
    single = gas[REQUEST] + gas[FULFIL]
    lines = [
        "# Gas",
        "",
        "Written by `scripts/gas_table.py` from `tests/contracts/gas_snapshot.json`, which the tests measure",
        "on py-evm (Prague) and hold to the unit. Every figure is of code that runs here; none is estimated.",
        "",
        "## Per inference",
        "",
        "One epoch a day; each channel is claimed once a week in batches of 25, each earner claims once a",
        "month for itself among 2^17 accounts. Relayed claims and a threshold for claims lower that column.",
        "",
        "| inferences a day | channels | earners | nodes | vouchers | statements | commitment | claims |"
        " **all** | one transaction pair each |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for load in LOADS:
        by = parts(load, gas)
        row = [f"{load.inferences:,}", f"{load.channels:,}", f"{load.earners:,}", f"{load.nodes:,}"]
        row += [f"{by[name]:,.2f}" for name in ("vouchers", "statements", "commitment", "claims")]
        total = sum(by.values())
        lines.append(
            "| " + " | ".join([*row, f"**{total:,.1f}**", f"{single:,} ({single / total:,.0f} ×)"]) + " |"
        )
    lines += [
        "",
        "The last column is the design that pays on chain for every inference: the gateway's request and",
        "fulfilment, as measured, without the requester's own code.",
        "",
        "## What each call costs",
        "",
        "| call | gas | bound |",
        "|---|---:|---:|",
    ]
    for name, amount in sorted(gas.items()):
        bound = bound_of(name)
        lines.append(f"| {name} | {amount:,} | {f'{bound:,}' if bound else ''} |")
    lines += [
        "",
        "A proof counts with its slash and the voided statement, by a prover who sealed it. Six have a",
        "bound of their own above the aim of 250,000; docs/adr/0010 and 0029 say what keeps them there.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    text = page(json.loads(SNAPSHOT.read_text()))
    if "--check" in sys.argv[1:]:
        sys.exit(
            0
            if PAGE.read_text() == text
            else f"{PAGE} is not what {SNAPSHOT} gives: run {Path(__file__).name}"
        )
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
