"""An audit's report goes on from where it was, and is of one sample."""

from pathlib import Path

import pytest

from node.attribution.findings import Finding
from node.cli.attribution import exit_code_of
from node.cli.attribution_audit import row_findings
from node.cli.audit_report import open_report
from node.errors import InvalidInput

DRAWN: dict[str, object] = {"epoch": 3, "seed": "0xab", "receipts": ["0x01"], "rows": 2}
GOOD, BAD, OPEN = (Finding("units", verdict, "1", "1") for verdict in (True, False, None))


def test_a_report_goes_on_from_what_it_has(tmp_path: Path) -> None:
    """SPEC 5.173"""
    path = tmp_path / "audit.json"
    report = open_report(path, DRAWN)
    report.add("0x01", [GOOD])
    again = open_report(path, DRAWN)
    assert again.items == {"0x01": [GOOD]}
    again.add("index", [BAD, OPEN])
    assert open_report(path, DRAWN).findings() == (GOOD, BAD, OPEN)
    assert [one.name for one in tmp_path.iterdir()] == ["audit.json"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"v": 2, "items": {}, "drawn": {}}', '{"v": 1, "items": 3}']
)
def test_another_file_is_not_written_over(tmp_path: Path, text: str) -> None:
    """SPEC 5.173"""
    path = tmp_path / "audit.json"
    path.write_text(text)
    with pytest.raises(InvalidInput):
        open_report(path, DRAWN)
    path.unlink()
    open_report(path, DRAWN).add("0x01", [GOOD])
    with pytest.raises(InvalidInput):
        open_report(path, {**DRAWN, "seed": "0xcd"})


@pytest.mark.parametrize(
    ("found", "status"), [((GOOD,), 0), ((GOOD, OPEN), 2), ((GOOD, OPEN, BAD), 1), ((), 0)]
)
def test_the_exit_code_says_the_worst(found: tuple[Finding, ...], status: int) -> None:
    """SPEC 5.167"""
    assert exit_code_of(found) == status


def test_a_rows_signs_agree_disagree_or_cannot_be_told() -> None:
    """SPEC 5.169, 5.173: one sign in twenty, at each checkpoint."""
    zeros = bytes(128)
    stated = {4: (zeros, zeros), 7: (zeros, zeros), 9: (zeros, zeros), 11: (zeros, zeros)}
    near, far = b"\xff" * 6 + zeros[6:], b"\xff" * 7 + zeros[7:]
    found = {4: (zeros, near), 7: (near, far), 11: (zeros,)}
    assert [one.agrees for one in row_findings(stated, found)] == [True, False, None, False]
