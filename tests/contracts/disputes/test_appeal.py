"""The one appeal: two bonds by the loser, one by the winner who wants to earn, ten seats, and who is paid."""

import pytest

from protocol.disputes import Case, Tally, Verdict, payout
from tests.contracts.disputes.court import (
    APPEAL,
    APPEALED,
    BOND,
    GUILTY,
    NOT_GUILTY,
    OPENED,
    STAKE,
    WINDOW,
    Court,
)
from tests.contracts.world import reverts

SLASH = STAKE // 10
PARTIES = ("challenger", "node")


def loser_of(verdict: Verdict) -> str:
    return "node" if verdict is Verdict.GUILTY else "challenger"


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("second", [Verdict.GUILTY, Verdict.NOT_GUILTY, Verdict.UNABLE])
@pytest.mark.parametrize("first", [Verdict.GUILTY, Verdict.NOT_GUILTY])
def test_every_end_of_an_appeal_pays_by_the_rule(
    court: Court, first: Verdict, second: Verdict, answered: bool
) -> None:
    """SPEC 7.148, 7.150: what the contract pays is what `protocol.disputes.payout` says, to the wei."""
    statement = court.state()
    start = {party: court.world.balance(party) for party in PARTIES}
    supply = court.supply()
    id_ = court.decide(statement, first)
    appellant = loser_of(first)
    winner = next(party for party in PARTIES if party != appellant)
    court.appeal(id_, appellant)
    if answered:
        court.answer_appeal(id_, winner)
    else:
        court.world.pass_to(court.start(id_, 1))
    court.draw(id_, 1)
    assert court.held == (4 if answered else 3) * BOND
    court.vote(id_, second, 1)
    event = court.settle(id_)
    again = Tally(10, 10 * (second is Verdict.GUILTY), 10 * (second is Verdict.NOT_GUILTY))
    case = Case(
        BOND,
        SLASH // 2,
        Tally(5, 5 * (first is Verdict.GUILTY), 5 * (first is Verdict.NOT_GUILTY)),
        again,
        answered,
    )
    out = payout(case)
    guilty = case.verdict is Verdict.GUILTY
    assert event["status"] == (GUILTY if guilty else NOT_GUILTY)
    assert event["burnt"] == out.burnt
    assert court.is_voided(statement) == guilty
    sides = dict.fromkeys(PARTIES, 0) | {"challenger": out.challenger - BOND}
    sides["node"] += out.node
    sides[appellant] += out.appellant - 2 * BOND
    sides[winner] += out.responder - BOND * answered
    assert {party: court.world.balance(party) - start[party] for party in PARTIES} == sides
    burnt = out.burnt + (SLASH // 2 if guilty else 0)
    assert supply - court.supply() == burnt
    fees = court.claim_fees(id_)
    judged = 10 * (second is not Verdict.UNABLE)
    assert fees == out.first_fee * case.first.coherent(case.verdict) + out.second_fee * judged
    assert court.held == court.holds(statement) == 0


def test_only_the_loser_appeals_and_only_in_its_half(court: Court) -> None:
    """SPEC 7.150: [decided, decided + half of the window), once, by the loser or its signer."""
    id_ = court.decide(court.state(), Verdict.GUILTY)
    decided = court.dispute(id_)["openedAt"] + WINDOW
    appeal = court.committee.functions.appeal(id_)
    with reverts("CommitteeTooEarly", id_, decided):
        court.world.send(appeal, "node", at=decided - 1)
    with reverts("CommitteeNotParty", id_, court.world.address("challenger"), court.world.address("node")):
        court.world.send(appeal, "challenger", at=decided)
    with reverts("CommitteeTooLate", id_, decided + APPEAL // 2):
        court.world.send(appeal, "node", at=decided + APPEAL // 2)
    assert court.dispute(id_)["status"] == OPENED


def test_a_signer_appeals_for_its_node(court: Court) -> None:
    """SPEC 7.150: whoever staked gets the stake back."""
    court.world.authorize("node", "hot_signer")
    court.world.fund("hot_signer", 2 * BOND, court.committee)
    statement = court.state()
    id_ = court.decide(statement, Verdict.GUILTY)
    court.appeal(id_, "hot_signer")
    assert court.dispute(id_)["status"] == APPEALED
    with reverts("CommitteeWrongStatus", id_, APPEALED):
        court.appeal(id_, "node")
    court.settle(id_)
    assert court.world.balance("hot_signer") == 2 * BOND


def test_nothing_to_appeal_without_a_verdict(court: Court) -> None:
    """SPEC 7.150"""
    id_ = court.decide(court.state(), Verdict.UNABLE)
    with reverts("CommitteeNoVerdict", id_):
        court.appeal(id_, "node")


def test_the_winner_may_answer_until_the_window_ends(court: Court) -> None:
    """SPEC 7.150: once, by the winner, before the second round begins without it."""
    id_ = court.decide(court.state(), Verdict.NOT_GUILTY)
    with reverts("CommitteeWrongStatus", id_, OPENED):
        court.answer_appeal(id_, "node")
    court.appeal(id_, "challenger")
    end = court.dispute(id_)["openedAt"] + WINDOW + APPEAL
    assert court.start(id_, 1) == end
    with reverts("CommitteeNotParty", id_, court.world.address("challenger"), court.world.address("node")):
        court.answer_appeal(id_, "challenger")
    with reverts("CommitteeTooLate", id_, end):
        court.answer_appeal(id_, "node", at=end)


def test_an_answer_starts_the_second_round(court: Court) -> None:
    """SPEC 7.150"""
    id_ = court.decide(court.state(), Verdict.NOT_GUILTY)
    court.appeal(id_, "challenger")
    mined = court.answer_appeal(id_, "node")
    assert court.start(id_, 1) == mined.time
    with reverts("CommitteeAlreadyAnswered", id_):
        court.answer_appeal(id_, "node")
    assert len(court.draw(id_, 1)) == 10


def test_a_second_round_nobody_draws_leaves_the_first_verdict(court: Court) -> None:
    """SPEC 7.143, 7.148: the appellant's stake comes back, the verdict stands."""
    statement = court.state()
    id_ = court.decide(statement, Verdict.GUILTY)
    court.appeal(id_, "node")
    before = court.world.balance("node")
    end = court.start(id_, 1) + WINDOW // 4
    with reverts("CommitteeTooEarly", id_, end):
        court.settle(id_, at=end - 1)
    assert court.settle(id_, at=end)["status"] == GUILTY
    assert court.world.balance("node") - before == 2 * BOND
    court.claim_fees(id_)
    assert court.held == court.holds(statement) == 0
