"""The table of what the engine must keep names tests and suites that exist, for every requirement."""

import ast
import re
from pathlib import Path

import pytest

from benchmarks.openlora.__main__ import _BUILDERS

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "CONFORMANCE.md"
ROW = re.compile(r"^\| (T\d+) \| (.+) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
SUITE = re.compile(r"suites? ((?:`\w+`(?:, )?)+)")
# What has no test yet; whoever writes one takes its number away here and names it in the table.
OPEN = {"T12"}


def rows() -> dict[str, str]:
    """What holds each requirement."""
    found = ROW.findall(TABLE.read_text("utf-8"))
    assert len({number for number, _, _ in found}) == len(found)
    return {number: held for number, _, held in found}


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    functions = [one for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {one.name for one in functions if one.name.startswith("test_")}


def test_every_requirement_is_in_the_table_once() -> None:
    """SPEC 4.209"""
    assert list(rows()) == [f"T{number}" for number in range(1, 32)]


@pytest.mark.parametrize("number", sorted(rows()))
def test_what_holds_a_requirement_exists(number: str) -> None:
    """SPEC 4.209"""
    held = rows()[number]
    assert (held == "open") == (number in OPEN)
    named = TEST.findall(held)
    assert bool(named) == (number not in OPEN)
    for path, name in named:
        place = ROOT / "tests" / re.sub(r"^IW/", "inference_worker/", path)
        assert name in names_in(place), f"{number}: {path} has no {name}"


def test_the_suites_exist() -> None:
    """SPEC 4.209: also what is in no pattern above would be a broken name."""
    text = TABLE.read_text("utf-8")
    named = {suite for group in SUITE.findall(text) for suite in re.findall(r"`(\w+)`", group)}
    assert named == set(_BUILDERS)
    assert text.count("::") == len(TEST.findall(text))
    for path in re.findall(r"`(benchmarks/[\w/.]+)`", text):
        assert (ROOT / path).is_file()
