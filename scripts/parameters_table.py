"""docs/PARAMETERS.md: every parameter that a vote can set, as the contracts are deployed with it.

    python -m scripts.parameters_table

writes the page; a test compares it with what this would write.
"""

from pathlib import Path

from protocol.tunables import OPEN, TUNABLES, Kind
from scripts.deployment_parameters import first_values
from scripts.deployment_plan import DAY, DEVNET, Settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "PARAMETERS.md"
TREASURY = "0x" + "00" * 19 + "01"
INTRODUCTION = """# Parameters

What a passed vote can change, each within its bounds; bounds included. A key is keccak256 of the name.
Every change makes a version, and a receipt is settled by the version that held when its request was made.
The split of a price is set as a whole: its six parts sum to 1,000,000 ppm. Gradient and span weights sum to
1,000,000 ppm, and retrieval's is at most gradient's. The unbonding period covers an epoch, the challenge and
response windows, two committees and the appeal at every change. Written by `scripts/parameters_table.py`.

| Name | Kind | Least | Greatest | Public network | Development | Meaning |
|---|---|---|---|---|---|---|
"""


def render() -> str:
    """The whole page."""
    public, devnet = (first_values(TREASURY, settings) for settings in (Settings(), DEVNET))
    rows = []
    for one in TUNABLES:
        values = (one.least, one.greatest, public[one.name], devnet[one.name])
        cells = ("any account", "", "the timelock", "the timelock") if one.kind is Kind.ACCOUNT else values
        shown = (cell if isinstance(cell, str) else spelled(one.kind, cell) for cell in cells)
        rows.append(f"| `{one.name}` | {one.kind.name.lower()} | {' | '.join(shown)} | {one.meaning} |")
    note = "\nOn a development network the least unbonding period is the one that it was deployed with.\n"
    return INTRODUCTION + "\n".join(rows) + "\n" + note


def spelled(kind: Kind, value: int) -> str:
    """A value in the unit that people say it in."""
    if kind is Kind.WEI:
        return f"{value // OPEN:,} OPEN" if value % OPEN == 0 else f"{value} wei"
    if kind is Kind.SECONDS:
        return f"{value // DAY} d" if value and value % DAY == 0 else f"{value} s"
    return f"{value:,}"


if __name__ == "__main__":
    PAGE.write_text(render())
