"""Rows from the official ICD-10-CM tables: real, the same everywhere, and what the code system accepts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.datanet.curation import find_fault
from node.datanet.icd10 import Icd10Cm, descriptions_of, leaf_codes, row_of, select_codes
from node.datanet.rows import check_rows
from node.errors import InvalidInput
from protocol.manifest import decode_row, encode_row

SYSTEM = Icd10Cm()
DIABETES = ("E08", "E09", "E10", "E11", "E13")


def test_every_leaf_code_is_a_code_of_the_system() -> None:
    """SPEC 1.14"""
    codes = leaf_codes()
    assert len(codes) > 70_000 and len(set(codes)) == len(codes)
    assert all(SYSTEM.is_well_formed(code) and SYSTEM.is_known(code) for code in codes)
    assert not SYSTEM.is_known("E11") and not SYSTEM.is_known("Z99.999")


def test_rows_are_acceptable_and_say_what_they_ask_about() -> None:
    """SPEC 1.14"""
    rows = [row_of(code) for code in select_codes(200, "seed")]
    check_rows(rows)
    assert all(find_fault(row, SYSTEM) is None for row in rows)
    assert all(SYSTEM.subject(row) == descriptions_of(row.completion)[0] for row in rows)
    assert all(decode_row(encode_row(row)) == row for row in rows)


def test_a_known_row_says_what_the_tables_say() -> None:
    """SPEC 1.14"""
    row = row_of("E11.9")
    assert row.prompt == "Description: Type 2 diabetes mellitus without complications\nICD-10-CM code:"
    assert row.completion == "E11.9"
    assert row.meta["chapter"] == "4" and "remission" in row.meta["excludes1"]


@given(count=st.integers(0, 60), seed=st.text(max_size=8))
@settings(max_examples=20, deadline=None)
def test_selection_depends_on_its_arguments_alone_and_grows_by_appending(count: int, seed: str) -> None:
    """SPEC 1.14"""
    chosen = select_codes(count, seed, DIABETES)
    assert chosen == select_codes(count, seed, DIABETES)
    assert chosen == select_codes(count + 5, seed, DIABETES)[:count]
    assert len(set(chosen)) == count and all(code.startswith(DIABETES) for code in chosen)


def test_more_codes_than_there_are_is_an_error() -> None:
    """SPEC 1.14"""
    with pytest.raises(InvalidInput, match="too few"):
        select_codes(10_000, "seed", ["E11"])


@pytest.mark.parametrize(
    "code", ["", "e11.9", "E119", "E11.", " E11.9", "E11.9\n", "E11.99999", "11.9", "E11,9", "É11.9"]
)
def test_a_malformed_code_is_told_from_an_unknown_one(code: str) -> None:
    """SPEC 1.15"""
    assert not SYSTEM.is_known(code)
    assert not SYSTEM.is_well_formed(code)
