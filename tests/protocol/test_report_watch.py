"""What a watcher finds: nothing in an honest report, a winning proof in each spoiled one."""

from dataclasses import replace

import pytest
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import AttributionError
from protocol.hashing import from_hex, sha256
from protocol.influence_list import influence_words
from protocol.report_evidence import opened
from protocol.report_watch import Known, proofs
from tests.protocol.attempts import attempts, verdict
from tests.protocol.corruptions import COMMITTEE_ONLY, corruptions
from tests.protocol.scenes import NOTICE, ensemble_scene, scene

SEEDS = range(12)


@given(st.integers(0, 10**9))
@settings(max_examples=80, deadline=None)
def test_an_honest_report_is_never_proven_false(seed):
    """SPEC 7.90: whatever a watcher who knows everything tries."""
    honest = scene(seed)
    assert honest.found(honest.opened()) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_no_true_evidence_about_an_honest_report_is_a_fault(seed):
    """SPEC 7.90"""
    honest = scene(seed)
    one = honest.opened()
    shown = [verdict(honest.facts_of(one), proof) for proof in attempts(honest, one)]
    assert len(shown) > 20 and not any(shown)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_single_change_has_a_winning_proof(seed):
    """SPEC 7.95, 7.120, 7.121, 7.122"""
    honest = scene(seed)
    seen = 0
    for name, spoiled, expected in corruptions(honest):
        functions = {proof.function for proof in honest.found(spoiled)}
        assert functions & expected, f"{name}: found {functions}, expected one of {expected}"
        seen += 1
    assert seen > 25


@pytest.mark.parametrize("what", COMMITTEE_ONLY)
@pytest.mark.parametrize("seed", SEEDS[:4])
def test_what_only_the_committee_can_judge_has_no_proof(what, seed):
    """SPEC 7.95"""
    honest = scene(seed)
    assert honest.found(COMMITTEE_ONLY[what](honest)) == []


def test_an_ensembles_scores_are_judged_and_its_units_are_not():
    """SPEC 7.123"""
    honest, second = ensemble_scene(3)
    told = [honest.scored.influence, second.influence]
    known = replace(
        honest.known,
        indexes={**honest.known.indexes, second.root: second.leaves},
        codes={**honest.known.codes, sha256(second.code): second.code},
    )

    def found(sections, gradient=(1 << 64 | 5, honest.report.lists.gradient[1])):
        lists = replace(honest.report.lists, gradient=gradient, influence=influence_words(sections))
        one = honest.relisted(lists)
        return {proof.function for proof in proofs(honest.facts_of(one), one, known, keccak)}

    assert found(told) == set()
    first, *rest = second.influence.rows
    louder = replace(second.influence, rows=(replace(first, score=first.score + 1), *rest))
    assert found([told[0], louder]) == {"proveWrongScore"}
    assert found([told[0], replace(louder, rows=tuple(rest))]) == {"proveOmittedRow"}
    assert found(told[::-1]) == found(told[:1] * 2) == {"proveWrongIndex"}
    assert found(told, (0,)) == {"proveWrongUnits"}


def test_another_output_is_for_the_committee():
    """SPEC 7.95: tokens that the model never said; the report about them is right."""
    honest = scene(1)
    other = scene(2)
    assert other.found(other.opened(prompt_digest=honest.receipt.prompt_digest)) == []


def test_a_watcher_without_the_output_still_judges_shares_rows_and_shape():
    """SPEC 7.95"""
    honest = scene(3)
    known = Known(honest.manifest, honest.rows)
    blind = set()
    for name, spoiled, _ in corruptions(honest):
        if any(True for _ in proofs(honest.facts_of(spoiled), spoiled, known, keccak)):
            blind.add(name)
    assert {"more ppm", "another owner", "credit turned", "far past the row", "sixty-five"} <= blind
    assert not {"left out", "elsewhere in the row", "more tokens"} & blind


def test_a_revocation_binds_requests_made_a_notice_after_it():
    """SPEC 7.93, 5.64: at the second of the notice's end it binds; before that a node may not know."""
    honest = scene(4, requested_at=10_000, issued_at=10_001)
    paid = honest.report.entries[0].row
    digest = from_hex(honest.manifest.rows[paid].digest, 32)
    for since, binds in ((10_000 - NOTICE, True), (10_000 - NOTICE + 1, False), (0, False)):
        found = honest.found(honest.opened(), revoked_at={digest: since}, consent_changes={digest: 1})
        assert any(proof.function == "proveWrongRow" for proof in found) is binds


def test_a_withdrawn_row_may_be_uncredited_and_left_out():
    """SPEC 7.92, 7.93: once its consent was withdrawn nobody is blamed for not crediting or finding it."""
    honest = scene(6)
    digests = {from_hex(row.digest, 32): 1 for row in honest.manifest.rows}
    for name, spoiled, expected in corruptions(honest):
        functions = {proof.function for proof in honest.found(spoiled, consent_changes=digests)}
        if expected == {"proveOmission"}:
            assert "proveOmission" not in functions, name
    span = honest.report.lists.span
    credited = [word for word in span[1:] if word >> 160]
    uncredited = (1, *(word & ~(1 << 160) for word in span[1:]))
    lists = replace(honest.report.lists, span=uncredited)
    assert credited
    assert honest.found(honest.relisted(lists), consent_changes=digests) == []
    assert {proof.function for proof in honest.found(honest.relisted(lists))} == {"proveFalseCredit"}


def test_a_report_that_the_receipt_does_not_bind_is_no_evidence():
    """SPEC 5.60"""
    honest = scene(5)
    with pytest.raises(AttributionError):
        opened(5, [honest.receipt], 0, honest.report.stated[1:], honest.report.lists, keccak)
