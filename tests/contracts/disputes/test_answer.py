"""Answers: the leaf with its proof, its receipt and signature, in time; and what does not pass for one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from node.chain.keccak import keccak
from protocol.epoch import Commitment, Statement, cumulative_leaf, entry_leaf
from tests.contracts.disputes.court import Court, line_proof, receipt_proof, solidity_proof
from tests.contracts.disputes.questions import (
    ANSWERED,
    CUMULATIVE,
    ENTRY,
    LINE,
    RECEIPT,
    answer_cumulative,
    answer_entry,
    answer_line,
    answer_past_end,
    answer_receipt,
    ask,
    challenges,
    deadline_of,
    receipt_leaves,
    signature,
    status_of,
)
from tests.contracts.epochs import solidity_receipt
from tests.contracts.world import reverts

BOND = 10**18
Answer = Callable[..., Any]


@pytest.fixture
def published(court: Court) -> tuple[Statement, Commitment]:
    statement = court.state()
    court.commit(statement)
    return statement, court.ledger.commitments[-1]


def material(kind: int, published: tuple[Statement, Commitment]) -> tuple[Answer, Statement | Commitment]:
    answers: dict[int, Answer] = {
        LINE: answer_line,
        RECEIPT: answer_receipt,
        ENTRY: answer_entry,
        CUMULATIVE: answer_cumulative,
    }
    return answers[kind], published[kind in (ENTRY, CUMULATIVE)]


@pytest.mark.parametrize("kind", [LINE, RECEIPT, ENTRY, CUMULATIVE])
def test_an_answer_pays_whom_was_asked(
    court: Court, published: tuple[Statement, Commitment], kind: int
) -> None:
    """SPEC 7.131, 7.135: whoever gives it, up to the last second; and only once."""
    epoch = published[0].epoch
    id_ = ask(court, epoch, kind)
    answer, data = material(kind, published)
    before = court.world.balance("node")
    court.world.pass_to(deadline_of(court, id_) - 2)
    assert answer(court, id_, data).time == deadline_of(court, id_) - 1
    assert status_of(court, id_) == ANSWERED
    assert court.world.balance("node") - before == BOND
    assert court.world.balance(challenges(court).address) == court.holds(published[0]) == 0
    assert challenges(court).functions.openOn(epoch, court.world.address("node")).call() == 0
    assert challenges(court).functions.openBy(court.world.address("challenger")).call() == 0
    with reverts("DataChallengesNotOpen", id_, ANSWERED):
        answer(court, id_, data)
    assert not court.is_voided(published[0])


@pytest.mark.parametrize("kind", [LINE, RECEIPT, ENTRY, CUMULATIVE])
def test_an_answer_at_the_deadline_is_too_late(
    court: Court, published: tuple[Statement, Commitment], kind: int
) -> None:
    """SPEC 7.131: while now < deadline."""
    id_ = ask(court, published[0].epoch, kind)
    answer, data = material(kind, published)
    deadline = deadline_of(court, id_)
    court.world.pass_to(deadline - 1)
    with reverts("DataChallengesTooLate", id_, deadline):
        answer(court, id_, data)


def test_a_question_takes_only_its_own_kind_of_answer(
    court: Court, published: tuple[Statement, Commitment]
) -> None:
    """SPEC 7.131"""
    statement, commitment = published
    line, entry = ask(court, statement.epoch, LINE), ask(court, statement.epoch, ENTRY)
    with reverts("DataChallengesWrongKind", line, LINE):
        answer_receipt(court, line, statement)
    with reverts("DataChallengesWrongKind", entry, ENTRY):
        answer_cumulative(court, entry, commitment)
    with reverts("DataChallengesNotOpen", b"\x05" * 32, 0):
        answer_line(court, b"\x05" * 32, statement)


@pytest.mark.parametrize("kind", [LINE, ENTRY, CUMULATIVE])
def test_another_leaf_is_no_answer(court: Court, published: tuple[Statement, Commitment], kind: int) -> None:
    """SPEC 7.131: the index is the one asked for."""
    id_ = ask(court, published[0].epoch, kind, index=0)
    answer, data = material(kind, published)
    with reverts("DataChallengesWrongIndex", id_, 1, 0):
        answer(court, id_, data, 1)


@pytest.mark.parametrize("kind", [ENTRY, CUMULATIVE])
def test_a_changed_amount_is_no_answer(
    court: Court, published: tuple[Statement, Commitment], kind: int
) -> None:
    """SPEC 7.131"""
    id_ = ask(court, published[0].epoch, kind)
    answer, data = material(kind, published)
    with reverts("DataChallengesWrongProof"):
        answer(court, id_, data, amount=1)


def test_a_line_needs_its_own_signed_receipt(court: Court, published: tuple[Statement, Commitment]) -> None:
    """SPEC 7.131: line, receipt and signature are each checked against what was published."""
    statement, _ = published
    id_ = ask(court, statement.epoch, LINE)
    line = statement.lines[0]
    wrong_line = court.world.checksum(line.earner), line.request_id, line.amount + 1
    with reverts("DataChallengesWrongProof"):
        answer_line(court, id_, statement, line=wrong_line)
    receipt = statement.receipts[0]
    other_request = replace(receipt, request_id=keccak(b"other"))
    with reverts("DataChallengesWrongReceipt", id_, other_request.request_id, court.world.address("node")):
        answer_line(court, id_, statement, receipt=solidity_receipt(other_request))
    other_node = replace(receipt, node=court.world.plain("other_node"))
    with reverts("DataChallengesWrongReceipt", id_, receipt.request_id, court.world.address("other_node")):
        answer_line(court, id_, statement, receipt=solidity_receipt(other_node))
    unstated = replace(receipt, output_tokens=1)
    with reverts("DataChallengesWrongProof"):
        answer_line(court, id_, statement, receipt=solidity_receipt(unstated))
    with reverts("DataChallengesNotSigner", court.world.address("node"), court.world.address("other_node")):
        answer_line(court, id_, statement, signature=signature(court, statement, signer="other_node"))
    with reverts("DataChallengesNotSigner"):
        answer_line(court, id_, statement, signature=b"\x01")
    answer_line(court, id_, statement)


def test_a_receipt_by_a_nodes_signer_is_an_answer(court: Court) -> None:
    """SPEC 7.131"""
    court.world.authorize("node", "hot_signer")
    statement = court.state()
    id_ = ask(court, statement.epoch, RECEIPT)
    answer_receipt(court, id_, statement, signature=signature(court, statement, signer="hot_signer"))
    assert status_of(court, id_) == ANSWERED


def test_a_count_that_was_not_published_is_no_answer(court: Court) -> None:
    """SPEC 7.131, 7.132: a statement that claims more lines than its root holds cannot be defended."""
    epoch = court.ledger.earn("node", 100)
    court.world.pass_to(court.ledger.end_of(epoch))
    statement = court.ledger.statement(epoch, "node", {"contributor": 70, "model_owner": 30})
    court.ledger.publish(statement, "node", count=3)
    for index in (0, 2):
        id_ = ask(court, epoch, LINE, index=index)
        with reverts("DataChallengesWrongKind", id_, LINE):
            answer_past_end(court, id_, receipt_leaves(statement))
    with reverts("DataChallengesWrongIndex", id_, 0, 2):
        answer_line(court, id_, statement)
    first = ask(court, epoch, LINE, index=1)
    with reverts("DataChallengesWrongProof"):
        answer_line(court, first, statement, 1)


def test_a_question_past_the_end_is_answered_by_any_leaf(
    court: Court, published: tuple[Statement, Commitment]
) -> None:
    """SPEC 7.132: index >= count, shown by the count that the proof binds."""
    statement, commitment = published
    entries = [entry_leaf(one, keccak) for one in commitment.entries]
    amounts = [cumulative_leaf(*one) for one in commitment.cumulative]
    trees = {RECEIPT: receipt_leaves(statement), ENTRY: entries, CUMULATIVE: amounts}
    for kind, leaves in trees.items():
        inside = ask(court, statement.epoch, kind, index=len(leaves) - 1)
        past = ask(court, statement.epoch, kind, index=len(leaves))
        with reverts("DataChallengesWrongIndex", inside, len(leaves), len(leaves) - 1):
            answer_past_end(court, inside, leaves)
        other = trees[RECEIPT if kind != RECEIPT else ENTRY]
        if len(other) <= len(leaves):
            with reverts("DataChallengesWrongProof"):
                answer_past_end(court, past, other)
        before = court.world.balance("node")
        answer_past_end(court, past, leaves)
        assert status_of(court, past) == ANSWERED
        assert court.world.balance("node") - before == BOND


def test_proofs_of_deeper_trees(court: Court) -> None:
    """SPEC 7.131: odd widths and lifted leaves."""
    shares = {
        name: 10 + place for place, name in enumerate(("payer", "node", "curator", "staker", "contributor"))
    }
    statement = court.state(shares=shares)
    for place in range(5):
        id_ = ask(court, statement.epoch, LINE, index=place)
        proof = solidity_proof(line_proof(statement, place))
        assert answer_line(court, id_, statement, place, lineProof=proof)
        assert status_of(court, id_) == ANSWERED
    assert receipt_proof(statement).count == 1
