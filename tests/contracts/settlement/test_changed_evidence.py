"""A proof holds by every part of its evidence: with any one part changed, chain and twin say the same."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from node.chain.keccak import keccak
from protocol.errors import ProtocolError
from protocol.report_evidence import ChainFacts, FaultProof
from protocol.report_watch import proofs
from tests.contracts.epochs import Ledger
from tests.contracts.reports import call_of, facts_on_chain, fund_epoch, put_rows, stand
from tests.contracts.world import Reverted, World, rewound
from tests.protocol.attempts import verdict
from tests.protocol.corruptions import corruptions
from tests.protocol.scenes import Scene, scene

REFUSALS = {
    "ReportJudgeNoFault",
    "ReportJudgeNotProven",
    "ReportJudgeNotTheList",
    "ReportJudgeNotTheReport",
    "ReportJudgeNotStated",
    "ScoreFaultsNotTheCode",
}
FUNCTIONS = (
    "proveFalseToken",
    "provePastRow",
    "proveMalformed",
    "proveFalseCredit",
    "proveFalseCount",
    "proveOmission",
    "proveWrongShares",
    "proveForeignRow",
    "proveWrongRow",
    "proveWrongVersion",
    "proveWrongScore",
    "proveOmittedRow",
    "proveWrongCluster",
    "proveWrongIndex",
    "proveWrongUnits",
    "proveWithheldRow",
)


def changed(value: Any) -> Iterator[Any]:
    """`value` with one leaf changed, for each leaf; a sequence also without its last part."""
    if is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            for other in changed(getattr(value, one.name)):
                with suppress(ProtocolError):  # no such record can be made
                    yield replace(value, **{one.name: other})
    elif isinstance(value, tuple | list):
        for place, part in enumerate(value):
            for other in changed(part):
                yield (*value[:place], other, *value[place + 1 :])
        if value and not isinstance(value[0], bytes):
            yield tuple(value[:-1])
    else:
        yield from changed_leaf(value)


def changed_leaf(leaf: Any) -> tuple[Any, ...]:
    if isinstance(leaf, bool):
        return (not leaf,)
    if isinstance(leaf, int):
        return (leaf + 1, leaf - 1) if leaf else (leaf + 1,)
    if isinstance(leaf, bytes):
        return (bytes([*leaf[:-1], leaf[-1] ^ 1]),)
    return ()


def variants(proof: FaultProof) -> Iterator[FaultProof]:
    stated, *evidence = proof.arguments
    for place in range(len(evidence)):
        for other in changed(evidence[place]):
            shown = (stated, *evidence[:place], other, *evidence[place + 1 :])
            yield FaultProof(proof.judge, proof.function, shown)
    for other in changed(stated.place):
        yield FaultProof(proof.judge, proof.function, (replace(stated, place=other), *evidence))


def winning(
    made: Scene, world: World, epoch: int, ledger: Ledger, function: str
) -> tuple[FaultProof, ChainFacts]:
    """A spoiled report, stated, with the proof by that function."""
    known = made.known
    for _, spoiled, _ in corruptions(made):
        one = replace(spoiled, epoch=epoch)
        facts = facts_on_chain(world, made, one)
        for proof in proofs(facts, one, known, keccak):
            if proof.function == function:
                stand(ledger, epoch, made, spoiled)
                return proof, facts
    raise AssertionError(f"no report of this scene falls to {function}")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_part_of_the_evidence_counts(ledger: Ledger, function: str) -> None:
    """SPEC 7.33, 7.34: no other leaf, path, place, count or token makes the same proof."""
    world = ledger.world
    made = scene(0, node=world.plain("node"))
    put_rows(world, made)
    epoch = fund_epoch(ledger)
    with rewound(world):
        proof, facts = winning(made, world, epoch, ledger, function)
        assert is_accepted(world, proof) and verdict(facts, proof)
        refused = 0
        for other in variants(proof):
            expected = verdict(facts, other)
            assert is_accepted(world, other) is expected, other
            refused += not expected
        assert refused >= 5


def is_accepted(world: World, proof: FaultProof) -> bool:
    name = ""
    try:
        world.call(call_of(world, proof))
    except Reverted as refused:
        name = refused.name
    assert name in {"", *REFUSALS}, proof
    return not name
