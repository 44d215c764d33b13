"""Curation decides by what was submitted and when; a copy never becomes the canonical row."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.near_duplicates import EDITS
from node.datanet.curation import Candidate, Reason, Verdict, count_verdicts, review
from node.datanet.icd10 import Icd10Cm, descriptions_of, row_of, select_codes
from node.datanet.near_copies import WORD
from node.datanet.reasons import decode_reasons, encode_reasons, object_to
from node.errors import InvalidInput
from protocol.errors import ProtocolError
from protocol.manifest import Row

SYSTEM = Icd10Cm()
CODES = [code for code in select_codes(150, "curation") if len(descriptions_of(code)[0].split()) >= 4][:40]
ROW = row_of("E11.9")

FAULTS = {
    Reason.TOO_SHORT: row_of("E11.9", " .- "),
    Reason.MALFORMED_CODE: replace(ROW, completion="E119"),
    Reason.UNKNOWN_CODE: replace(ROW, completion="E11.99"),
    Reason.MIXED_SCRIPTS: row_of("E11.9", "Type 2 diаbetes mellitus"),
    Reason.INVALID: replace(ROW, prompt="Description: zero\u200bwidth\nICD-10-CM code:"),
}


@pytest.mark.parametrize("reason", FAULTS)
def test_each_fault_is_rejected_for_its_own_reason(reason: Reason) -> None:
    """SPEC 1.15"""
    [decision] = review([Candidate((1, 0), FAULTS[reason])], SYSTEM)
    assert (decision.verdict, decision.reason) == (Verdict.REJECTED, reason)


@pytest.mark.parametrize("reason", [Reason.UNREADABLE, Reason.MISMATCH])
def test_a_row_without_text_is_rejected_with_the_reason_why(reason: Reason) -> None:
    """SPEC 1.15"""
    [decision] = review([Candidate((1, 0), reason)], SYSTEM)
    assert (decision.verdict, decision.reason) == (Verdict.REJECTED, reason)


def test_an_empty_completion_is_rejected_without_a_code_system() -> None:
    """SPEC 1.15"""
    [decision] = review([Candidate((1, 0), Row("text", "a fine prompt", " \n", {}))])
    assert decision.reason is Reason.TOO_SHORT


def test_the_same_text_again_is_a_duplicate_whatever_its_notes_say() -> None:
    """SPEC 1.16"""
    again = replace(ROW, prompt=ROW.prompt.upper().replace(" ", "  "), meta={"note": "mine"})
    first, second = review([Candidate((1, 0), ROW), Candidate((2, 0), again)])
    assert first.verdict is Verdict.ACCEPTED
    assert (second.reason, second.canonical) == (Reason.DUPLICATE, (1, 0))


def test_scrambled_text_under_valid_codes_is_not_curations_to_judge() -> None:
    """SPEC 1.15"""
    words = ["lorem", "mellitus", "ulcer", "femur", "quarto", "sinus", "opening"]
    noise = [row_of(code, " ".join(random.Random(code).sample(words, 5))) for code in CODES[:5]]
    decisions = review([Candidate((1, place), row) for place, row in enumerate(noise)], SYSTEM)
    assert {decision.verdict for decision in decisions} == {Verdict.ACCEPTED}


def word_count(text: str) -> int:
    return len(WORD.findall(text))


edits = st.lists(
    st.tuples(st.sampled_from(CODES), st.sampled_from(sorted(EDITS)), st.integers(0, 99)), max_size=15
)


@given(edits=edits, order=st.randoms())
@settings(max_examples=40, deadline=None)
def test_copies_never_earn_and_the_order_of_reading_does_not_matter(edits, order: random.Random) -> None:
    """SPEC 1.16"""
    originals = [Candidate((1, place), row_of(code)) for place, code in enumerate(CODES)]
    texts = [
        (code, name, EDITS[name](descriptions_of(code)[0], random.Random(seed)))
        for code, name, seed in edits
        if name != "one letter"
    ]
    copies = [
        Candidate((2, place), row_of(code, edited))
        for place, (code, name, edited) in enumerate(texts)
        # "B-cell" is one word to a writer and two to the rule: exchanging it is more than one edit.
        if name != "one synonym" or word_count(edited) == word_count(descriptions_of(code)[0])
    ]
    everything = [*originals, *copies]
    decisions = review(everything, SYSTEM)
    order.shuffle(everything)
    assert review(everything, SYSTEM) == decisions
    by_place = {decision.place: decision for decision in decisions}
    for candidate in copies:
        decision = by_place[candidate.place]
        assert decision.verdict is not Verdict.ACCEPTED
        assert decision.canonical is not None and decision.canonical[0] == 1
    assert all(by_place[candidate.place].verdict is Verdict.ACCEPTED for candidate in originals)


@given(cut=st.integers(0, len(CODES)))
@settings(max_examples=20, deadline=None)
def test_later_contributions_change_no_earlier_decision(cut: int) -> None:
    """SPEC 1.16"""
    rows = [Candidate((1 + place // 3, place % 3), row_of(code)) for place, code in enumerate(CODES)]
    assert review(rows[:cut], SYSTEM) == review(rows, SYSTEM)[:cut]


def test_counts_add_up_and_a_linked_row_counts_as_accepted() -> None:
    """SPEC 1.15"""
    rows = [ROW, row_of("E11.9", descriptions_of("E11.9")[0] + " please"), *FAULTS.values()]
    decisions = review([Candidate((1, place), row) for place, row in enumerate(rows)], SYSTEM)
    assert decisions[1].verdict is Verdict.LINKED
    assert count_verdicts(decisions) == (2, len(FAULTS))


def test_reasons_survive_their_file_and_quote_no_row() -> None:
    """SPEC 1.15"""
    rows = [ROW, row_of("E11.9", descriptions_of("E11.9")[0] + " please"), *FAULTS.values()]
    decisions = review([Candidate((7, place), row) for place, row in enumerate(rows)], SYSTEM)
    data = encode_reasons(7, decisions)
    assert decode_reasons(data, 7) == decisions
    assert b"diabetes" not in data and b"E11" not in data
    with pytest.raises(ProtocolError):
        decode_reasons(data, 8)
    with pytest.raises(ProtocolError):
        decode_reasons(data.replace(b"[7,0]", b"[7,6]"), 7)


def test_an_objection_takes_the_copies_in_the_batch_along() -> None:
    """SPEC 1.15"""
    rows = [ROW, row_of("E11.9", descriptions_of("E11.9")[0] + " please"), row_of("I10")]
    decisions = review([Candidate((1, place), row) for place, row in enumerate(rows)], SYSTEM)
    objected = object_to(decisions, {0: "wrong licence"})
    assert [decision.verdict for decision in objected] == [
        Verdict.REJECTED,
        Verdict.REJECTED,
        Verdict.ACCEPTED,
    ]
    assert objected[1].note == "wrong licence" and objected[0].reason is Reason.CURATOR
    with pytest.raises(InvalidInput):
        object_to(decisions, {9: "no such row"})
    with pytest.raises(InvalidInput):
        object_to(decisions, {0: ""})
