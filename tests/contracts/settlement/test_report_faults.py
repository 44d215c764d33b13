"""Honest reports stand; each single change to one is proven on chain, by the proofs its twin accepts."""

from dataclasses import replace

import pytest

from node.chain.keccak import keccak
from protocol.attribution import entries_root
from protocol.hashing import from_hex, sha256
from protocol.influence_list import influence_words
from protocol.report_evidence import FaultProof, Opened, abi, placed_entry, placed_row
from protocol.report_watch import proofs
from tests.contracts.datanets import decide, ensure_stake, ledger_of, membership, submit
from tests.contracts.epochs import Ledger
from tests.contracts.reports import (
    call_of,
    checksummed,
    facts_on_chain,
    fund_epoch,
    put_rows,
    stand,
)
from tests.contracts.seals import prove_sealed
from tests.contracts.world import Reverted, World, reverts, rewound
from tests.protocol.attempts import REFUSALS, attempts, verdict
from tests.protocol.corruptions import COMMITTEE_ONLY, corruptions
from tests.protocol.scenes import Scene, ensemble_scene, scene

SEEDS = (0, 4)
Stage = tuple[Ledger, Scene, int]


@pytest.fixture(params=SEEDS)
def stage(request: pytest.FixtureRequest, ledger: Ledger) -> Stage:
    made = scene(request.param, node=ledger.world.plain("node"))
    put_rows(ledger.world, made)
    return ledger, made, fund_epoch(ledger)


def found(world: World, made: Scene, one: Opened) -> list[FaultProof]:
    known = made.known
    return list(proofs(facts_on_chain(world, made, one), one, known, keccak))


def test_every_single_change_is_proven(stage: Stage) -> None:
    """SPEC 7.91, 7.92, 7.93, 7.94, 7.95, 7.120, 7.121, 7.122: whatever the watcher found."""
    ledger, made, epoch = stage
    world = ledger.world
    for name, spoiled, expected in corruptions(made):
        with rewound(world):
            one = stand(ledger, epoch, made, spoiled)
            by_function = {proof.function: proof for proof in found(world, made, one)}
            assert expected & set(by_function), name
            for proof in by_function.values():
                with rewound(world):
                    mined = world.send(call_of(world, proof), "challenger")
                    (event,) = world.events(mined, world.contract(proof.judge), "FaultProven")
                    assert event["node"] == world.address("node"), name
                    assert event["epoch"] == one.epoch
                    assert world.settlement.functions.getStatement(one.epoch, event["node"]).call()[5]


def test_scores_of_an_ensembles_members_are_proven(ledger: Ledger) -> None:
    """SPEC 7.123: in the second section as in the first; its units, whatever they are, are not."""
    world = ledger.world
    made, second = ensemble_scene(3, world.plain("node"))
    put_rows(world, made)
    epoch = fund_epoch(ledger)
    known = replace(
        made.known,
        indexes={**made.known.indexes, second.root: second.leaves},
        codes={**made.known.codes, sha256(second.code): second.code},
    )
    first, *rest = second.influence.rows
    louder = replace(second.influence, rows=(replace(first, score=first.score + 1), *rest))
    for told, expected in ((louder, {"proveWrongScore"}), (second.influence, set())):
        words = influence_words([made.scored.influence, told])
        gradient = (1 << 64 | 5, made.report.lists.gradient[1])
        spoiled = made.relisted(replace(made.report.lists, gradient=gradient, influence=words))
        with rewound(world):
            one = stand(ledger, epoch, made, spoiled)
            winning = list(proofs(facts_on_chain(world, made, one), one, known, keccak))
            assert {proof.function for proof in winning} == expected
            assert all(is_accepted(world, proof) for proof in winning)
            units = FaultProof("ScoreFaults", "proveWrongUnits", (one.stated(keccak), words, gradient))
            assert not is_accepted(world, units)


def test_an_honest_report_withstands_every_attempt(stage: Stage) -> None:
    """SPEC 7.90: true evidence of every kind about an honest report is refused, by chain and twin alike."""
    ledger, made, epoch = stage
    one = stand(ledger, epoch, made, made.opened())
    tried = 0
    for proof in attempts(made, one):
        with pytest.raises(Reverted) as refused:
            ledger.world.call(call_of(ledger.world, proof))
        assert refused.value.name in REFUSALS, proof.function
        tried += 1
    assert tried > 30
    for what in COMMITTEE_ONLY:
        assert found(ledger.world, made, COMMITTEE_ONLY[what](made)) == []


def test_a_proven_fault_slashes_once_and_pays_whoever_sealed_it(ledger: Ledger) -> None:
    """SPEC 7.81: half a tenth to the prover, half burnt; the statement is void and cannot be judged again."""
    world = ledger.world
    made = scene(0, node=world.plain("node"))
    put_rows(world, made)
    epoch = fund_epoch(ledger)
    stated = made.report.stated
    one = stand(ledger, epoch, made, made.opened(stated[1:]))
    first, *_ = found(world, made, one)
    supply = world.supply()
    stake = world.staking.functions.slashableStake(world.address("node")).call()
    prove_sealed(world, call_of(world, first))
    assert world.wealth("challenger") == stake // 20
    assert supply - world.supply() == stake // 20
    with reverts("EpochSettlementNotChallengeable", one.epoch, world.address("node")):
        world.send(call_of(world, first), "challenger")


def test_evidence_about_another_receipt_or_report_is_refused(ledger: Ledger) -> None:
    """SPEC 7.34, 5.60: each opening is bound by the one above it, up to the statement."""
    world = ledger.world
    made = scene(0, node=world.plain("node"))
    put_rows(world, made)
    epoch = fund_epoch(ledger)
    one = stand(ledger, epoch, made, made.opened(made.report.stated[1:]))
    proof = next(p for p in found(world, made, one) if p.function == "proveWrongShares")
    stated, lists, entry = (checksummed(abi(part)) for part in proof.arguments)
    prove = world.contract("ShareFaults").functions.proveWrongShares

    def spoil(place: int, value: object) -> tuple[object, ...]:
        return (*stated[:place], value, *stated[place + 1 :])

    with reverts("ReportJudgeNotStated", one.epoch + 1, world.address("node")):
        world.call(prove(spoil(0, one.epoch + 1), lists, entry))
    receipt = stated[1]
    with reverts("ReportJudgeNotStated"):
        world.call(prove(spoil(1, (*receipt[:13], receipt[13] + 1, *receipt[14:])), lists, entry))
    opened_root = entries_root(made.report.stated, keccak)
    with reverts("ReportJudgeNotTheReport"):
        world.call(prove(spoil(3, opened_root), lists, entry))
    with reverts("ReportJudgeNotTheList"):
        world.call(prove(stated, (lists[0][:-1], *lists[1:]), entry))
    with reverts("ReportJudgeNotProven"):
        world.call(prove(stated, lists, (*entry[:3], entry[3] + 1, entry[4])))


def test_chain_and_twin_agree_on_all_true_evidence(stage: Stage) -> None:
    """SPEC 7.33: every kind of evidence about each spoiled report, winning or not."""
    ledger, made, epoch = stage
    world = ledger.world
    seen = {True: 0, False: 0}
    for _, spoiled, _ in list(corruptions(made))[::11]:
        with rewound(world):
            one = stand(ledger, epoch, made, spoiled)
            facts = facts_on_chain(world, made, one)
            for proof in list(attempts(made, one))[::3]:
                expected = verdict(facts, proof)
                assert is_accepted(world, proof) is expected, proof.function
                seen[expected] += 1
    assert seen[True] and seen[False]


def is_accepted(world: World, proof: FaultProof) -> bool:
    name = ""
    try:
        world.call(call_of(world, proof))
    except Reverted as refused:
        name = refused.name
    assert name in {"", *REFUSALS}
    return not name


@pytest.mark.parametrize("late", [0, 1], ids=["at the end of the notice", "a second before"])
def test_a_row_revoked_in_time_is_no_longer_paid(ledger: Ledger, late: int) -> None:
    """SPEC 7.93: against the contribution ledger itself, at the boundary of the notice."""
    world = ledger.world
    made = scene(0, node=world.plain("node"))
    put_rows(world, made)
    paid = made.report.entries[0].row
    digest = from_hex(made.manifest.rows[paid].digest, 32)
    batch = submit(world, 1, "contributor", digests=(digest,))
    ensure_stake(world, "curator")
    decide(world, batch, 1, 0)
    row = membership(world, batch, "contributor", digest, (digest,))
    revoked = world.send(ledger_of(world).functions.revoke(digest, row), "contributor").time
    epoch = fund_epoch(ledger)
    requested = revoked + world.settings.epoch_length - late
    one = stand(ledger, epoch, made, made.opened(requested_at=requested, issued_at=requested))
    facts = facts_on_chain(world, made, one)
    facts = replace(facts, revoked_at={digest: revoked}, consent_changes={digest: 1})
    known = made.known
    winning = [proof for proof in proofs(facts, one, known, keccak) if proof.function == "proveWrongRow"]
    assert bool(winning) is not bool(late)
    entry, placed = placed_entry(one.entries, 0, keccak), placed_row(made.manifest, paid, keccak)
    evidence = (one.stated(keccak), entry, placed.row, placed.proof)
    assert is_accepted(world, FaultProof("ShareFaults", "proveWrongRow", evidence)) is not bool(late)
