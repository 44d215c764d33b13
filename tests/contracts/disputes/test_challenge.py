"""Asking for published data: who may be asked for what, how often, until when."""

import pytest

from tests.contracts.disputes.court import Court
from tests.contracts.disputes.questions import (
    CUMULATIVE,
    ENTRY,
    LINE,
    OPEN,
    RECEIPT,
    answer_line,
    ask,
    challenges,
    deadline_of,
    status_of,
)
from tests.contracts.world import reverts

BOND = 10**18
WINDOW = 30


def held(court: Court) -> int:
    return court.world.balance(challenges(court).address)


@pytest.mark.parametrize("kind", [LINE, RECEIPT, ENTRY, CUMULATIVE])
def test_a_question_takes_its_bond_and_holds_the_epoch(court: Court, kind: int) -> None:
    """SPEC 7.130, 7.135"""
    statement = court.state()
    court.commit(statement)
    id_ = ask(court, statement.epoch, kind)
    assert status_of(court, id_) == OPEN
    assert deadline_of(court, id_) == court.world.now + WINDOW
    assert held(court) == BOND
    assert court.holds(statement) == 1
    contract = challenges(court).functions
    assert contract.openOn(statement.epoch, court.world.address("node")).call() == 1
    assert contract.openBy(court.world.address("challenger")).call() == 1
    with reverts("DataChallengesAlreadyAsked", id_):
        ask(court, statement.epoch, kind, sender="payer")


def test_lines_are_asked_for_below_the_stated_count(court: Court) -> None:
    """SPEC 7.130: index < count."""
    statement = court.state()
    ask(court, statement.epoch, LINE, index=1)
    with reverts("DataChallengesIndexPastCount", 2, 2):
        ask(court, statement.epoch, LINE, index=2)


def test_only_what_stands_can_be_asked_about(court: Court) -> None:
    """SPEC 7.130: a stated statement, or the standing commitment by its committer."""
    statement = court.state()
    node, other = court.world.address("node"), court.world.address("other_node")
    for kind in (LINE, RECEIPT):
        with reverts("DataChallengesNotChallengeable", statement.epoch, other):
            ask(court, statement.epoch, kind, node="other_node")
    with reverts("DataChallengesNotChallengeable", statement.epoch, node):
        ask(court, statement.epoch, ENTRY)
    court.commit(statement, sender="other_node")
    with reverts("DataChallengesNotChallengeable", statement.epoch, node):
        ask(court, statement.epoch, CUMULATIVE)
    ask(court, statement.epoch, CUMULATIVE, node="other_node")


@pytest.mark.parametrize("kind", [LINE, CUMULATIVE])
def test_questions_end_with_the_challenge_window(court: Court, kind: int) -> None:
    """SPEC 7.130: while now < the commitment's end of window, and never once it is final."""
    statement = court.state()
    end = court.commit(statement).time + court.world.settings.challenge_window
    court.world.fund("challenger", 10 * BOND, challenges(court))
    node = court.world.address("node")
    call = challenges(court).functions.challenge(statement.epoch, node, kind, 0)
    with reverts("EpochSettlementWindowOver", statement.epoch, end):
        court.world.send(call, "challenger", at=end)
    court.ledger.finalize(statement.epoch)
    with reverts("DataChallengesNotChallengeable", statement.epoch, node):
        court.world.send(call, "challenger")


def test_the_last_second_of_the_window_counts(court: Court) -> None:
    """SPEC 7.130, 7.135: and then finality waits for the answer."""
    statement = court.state()
    end = court.commit(statement).time + court.world.settings.challenge_window
    court.world.fund("challenger", BOND, challenges(court))
    node = court.world.address("node")
    call = challenges(court).functions.challenge(statement.epoch, node, LINE, 0)
    mined = court.world.send(call, "challenger", at=end - 1)
    with reverts("EpochSettlementHeld"):
        court.ledger.finalize(statement.epoch, at=end)
    (event,) = court.world.events(mined, challenges(court), "DataChallenged")
    answer_line(court, event["id"], statement)
    court.ledger.finalize(statement.epoch)


def test_what_was_answered_is_not_asked_again(court: Court) -> None:
    """SPEC 7.130"""
    statement = court.state()
    id_ = ask(court, statement.epoch, LINE)
    answer_line(court, id_, statement)
    with reverts("DataChallengesAlreadyAsked", id_):
        ask(court, statement.epoch, LINE)


def test_open_questions_are_bounded(court: Court) -> None:
    """SPEC 7.130: 8 by one account, 64 on one node's epoch; an answer frees a place."""
    statement = court.state()
    askers = [name for name in court.world.signers if name not in ("node", "deployer", "hot_signer")][:9]
    answer_line(court, ask(court, statement.epoch, LINE, sender=askers[0]), statement)
    for place in range(64):
        ask(court, statement.epoch, RECEIPT, index=place, sender=askers[place // 8])
    with reverts("DataChallengesTooManyOpen", court.world.address("node"), 64, 64):
        ask(court, statement.epoch, RECEIPT, index=99, sender=askers[8])
    other = court.state("other_node")
    with reverts("DataChallengesTooManyOpen", court.world.address(askers[0]), 8, 8):
        ask(court, other.epoch, LINE, sender=askers[0], node="other_node")
    ask(court, other.epoch, LINE, sender=askers[8], node="other_node")


def test_getters_answer_for_what_never_was(court: Court) -> None:
    """SPEC 7.157"""
    contract, nobody = challenges(court).functions, court.world.address("stranger")
    assert set(contract.getChallenge(b"\x07" * 32).call()) <= {0, bytes(32), "0x" + "00" * 20}
    for kind in range(4):
        assert contract.rootOf(2**64 - 1, nobody, kind).call() == bytes(32)
    assert contract.openOn(2**64 - 1, nobody).call() == contract.openBy(nobody).call() == 0
