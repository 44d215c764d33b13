"""How disputes end: who is slashed, who is paid, and that nothing is left behind."""

from protocol.disputes import Case, Tally, Verdict, payout
from tests.contracts.disputes.court import (
    APPEAL,
    BOND,
    GUILTY,
    JUROR_STAKE,
    MOOT,
    NO_VERDICT,
    NOT_GUILTY,
    STAKE,
    WINDOW,
    Court,
)
from tests.contracts.disputes.questions import withhold
from tests.contracts.world import reverts

SLASH = STAKE // 10


def test_a_guilty_node_is_slashed_and_its_statement_void(court: Court) -> None:
    """SPEC 7.146: half of the slash pays challenger and jurors, half is burnt."""
    statement = court.state()
    before, supply = court.world.balance("challenger"), court.supply()
    id_ = court.decide(statement, Verdict.GUILTY)
    assert court.holds(statement) == 1
    assert court.held == BOND
    event = court.settle(id_)
    assert (event["status"], event["slashed"], event["burnt"]) == (GUILTY, SLASH, 0)
    assert court.is_voided(statement)
    assert court.stake_of("node") == STAKE - SLASH
    assert supply - court.supply() == SLASH // 2
    fees = court.claim_fees(id_)
    assert fees == BOND // 2
    assert court.world.balance("challenger") - before == SLASH // 2 - fees
    assert court.held == court.holds(statement) == 0


def test_an_acquitted_node_gets_half_of_the_bond(court: Court) -> None:
    """SPEC 7.146: the rest pays the jurors; nobody is slashed and the statement stands."""
    statement = court.state()
    before, supply = court.world.balance("node"), court.supply()
    id_ = court.decide(statement, Verdict.NOT_GUILTY)
    assert court.settle(id_)["status"] == NOT_GUILTY
    assert not court.is_voided(statement)
    assert court.stake_of("node") == STAKE
    assert court.world.balance("node") - before == BOND // 2
    assert court.claim_fees(id_) == BOND // 2
    assert court.supply() == supply
    assert court.held == court.holds(statement) == 0


def test_too_few_votes_decide_nothing(court: Court) -> None:
    """SPEC 7.145, 7.147: bonds go back less a fee for who judged; who stayed away is slashed."""
    statement = court.state()
    id_ = court.open(statement)
    seats = court.draw(id_)
    present = next(juror for juror in seats if seats.count(juror) < 4)
    court.vote(id_, {present: Verdict.GUILTY})
    before = court.world.balance("challenger")
    event = court.settle(id_)
    assert (event["status"], event["slashed"]) == (NO_VERDICT, 0)
    assert not court.is_voided(statement)
    fees = court.claim_fees(id_)
    assert fees == BOND // 10 // 5 * seats.count(present)
    assert court.world.balance("challenger") - before == BOND - fees
    for juror in set(seats):
        lost = 0 if juror == present else JUROR_STAKE // 100
        assert court.stake_of(juror) == JUROR_STAKE - lost
    assert court.held == court.holds(statement) == 0


def test_unable_is_present_but_judges_nothing(court: Court) -> None:
    """SPEC 7.147: a juror that cannot see the data is neither slashed nor paid."""
    id_ = court.decide(court.state(), Verdict.UNABLE)
    assert court.settle(id_)["status"] == NO_VERDICT
    assert court.claim_fees(id_) == 0
    assert all(court.stake_of(juror) == JUROR_STAKE for juror in court.seated[id_, 0])
    assert court.held == 0


def test_a_dispute_nobody_drew_ends_too(court: Court) -> None:
    """SPEC 7.143: from any state, by anyone, at its deadline and not before."""
    statement = court.state()
    id_ = court.open(statement)
    end = court.dispute(id_)["openedAt"] + WINDOW // 4
    with reverts("CommitteeTooEarly", id_, end):
        court.settle(id_, at=end - 1)
    before = court.world.balance("challenger")
    assert court.settle(id_, sender="staker", at=end)["status"] == NO_VERDICT
    assert court.world.balance("challenger") - before == BOND
    assert court.held == court.holds(statement) == 0
    with reverts("CommitteeWrongStatus", id_, NO_VERDICT):
        court.settle(id_)


def test_a_verdict_waits_for_the_losers_half_of_the_appeal_window(court: Court) -> None:
    """SPEC 7.143, 7.150"""
    id_ = court.decide(court.state(), Verdict.GUILTY)
    end = court.dispute(id_)["openedAt"] + WINDOW + APPEAL // 2
    with reverts("CommitteeTooEarly", id_, end):
        court.settle(id_, at=end - 1)
    assert court.settle(id_, at=end)["status"] == GUILTY


def test_another_judges_verdict_ends_a_dispute_without_losers(court: Court) -> None:
    """SPEC 7.151: a statement is voided and slashed for once; a second dispute over it gets its bond back."""
    statement = court.state()
    id_ = court.open(statement)
    court.draw(id_)
    withhold(court, statement)
    before = court.world.balance("challenger")
    assert court.settle(id_, at=court.world.now + 1)["status"] == MOOT
    assert court.world.balance("challenger") - before == BOND
    assert court.stake_of("node") == STAKE - SLASH  # for withholding, not for the dispute
    assert court.held == court.holds(statement) == court.claim_fees(id_) == 0
    assert all(court.stake_of(juror) == JUROR_STAKE for juror in court.seated[id_, 0])


def test_a_moot_appeal_returns_every_stake(court: Court) -> None:
    """SPEC 7.151"""
    statement = court.state()
    id_ = court.decide(statement, Verdict.GUILTY)
    court.appeal(id_, "node")
    court.answer_appeal(id_, "challenger")
    withhold(court, statement)
    before = court.world.balance("node"), court.world.balance("challenger")
    assert court.settle(id_, at=court.world.now + 1)["status"] == MOOT
    assert court.world.balance("node") - before[0] == 2 * BOND
    assert court.world.balance("challenger") - before[1] == 2 * BOND
    assert court.held == court.holds(statement) == 0


def test_the_slash_rates_of_the_opening_hold(court: Court) -> None:
    """SPEC 7.140: a vote in between changes no dispute that is under way."""
    id_ = court.decide(court.state(), Verdict.GUILTY)
    record = court.dispute(id_)
    names = ("bond", "committeeWindow", "appealWindow", "faultSlashPpm", "jurorSlashPpm")
    assert [record[name] for name in names] == [BOND, WINDOW, APPEAL, 100_000, 10_000]


def with_a_single_seat(court: Court) -> tuple[bytes, list[str]]:
    """A dispute of whose jurors one has one seat: whom a draw takes depends on the block's hash."""
    for _ in range(12):
        id_ = court.open(court.state())
        seats = court.draw(id_)
        if any(seats.count(juror) == 1 for juror in seats):
            return id_, seats
    raise AssertionError("twelve draws, and none with a single seat")


def test_a_fee_is_paid_once_and_only_for_the_verdict(court: Court) -> None:
    """SPEC 7.149"""
    id_, seats = with_a_single_seat(court)
    outvoted = min(set(seats), key=seats.count)
    court.vote(id_, {j: Verdict.GUILTY if j == outvoted else Verdict.NOT_GUILTY for j in set(seats)})
    court.settle(id_)
    claim = court.committee.functions.claimFee
    with reverts("CommitteeNothingEarned", id_, 0, court.world.address(outvoted)):
        court.world.send(claim(id_, 0, court.world.address(outvoted)), outvoted)
    winner = next(juror for juror in seats if juror != outvoted)
    expected = payout(Case(BOND, SLASH // 2, Tally(5, 1, 4))).first_fee * seats.count(winner)
    assert court.claim_fee(id_, 0, winner) == expected > 0
    with reverts("CommitteeNothingEarned", id_, 0, court.world.address(winner)):
        court.world.send(claim(id_, 0, court.world.address(winner)), winner)
