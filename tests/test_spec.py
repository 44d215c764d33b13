"""Every numbered statement of docs/SPEC.md is cited by a test, and no test cites one that does not exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATEMENT = re.compile(r"^- \*\*(\d+\.\d+)\*\* ", re.MULTILINE)
CITATION = re.compile(r"SPEC ((?:\d+\.\d+)(?:(?:,| and|, and) \d+\.\d+)*)")


def stated() -> list[str]:
    return STATEMENT.findall((ROOT / "docs" / "SPEC.md").read_text())


def cited() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("*"):
        if path.suffix in {".py", ".js", ".mjs"} and path != Path(__file__):
            for group in CITATION.findall(path.read_text()):
                found.update(re.findall(r"\d+\.\d+", group))
    return found


def test_statement_numbers_are_unique() -> None:
    numbers = stated()
    assert len(numbers) == len(set(numbers)), sorted({n for n in numbers if numbers.count(n) > 1})


def test_every_statement_has_a_test() -> None:
    assert set(stated()) - cited() == set()


def test_no_test_cites_an_unknown_statement() -> None:
    assert cited() - set(stated()) == set()
