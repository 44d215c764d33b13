"""What disputes and questions cost at most: bounds, since draws depend on block hashes."""

from protocol.disputes import Verdict
from tests.contracts.disputes import questions
from tests.contracts.disputes.court import Court

BOUNDS = {
    ("DataChallenges", "challenge"): 300_000,
    ("DataChallenges", "answerLine"): 130_000,
    ("DataChallenges", "answerReceipt"): 115_000,
    ("DataChallenges", "answerEntry"): 115_000,
    ("DataChallenges", "answerCumulative"): 110_000,
    ("DataChallenges", "answerPastEnd"): 95_000,
    ("DataChallenges", "conclude"): 230_000,
    ("JurorPool", "enrol"): 300_000,
    ("JurorPool", "sync"): 120_000,
    ("JurorPool", "leave"): 150_000,
    ("Committee", "open"): 275_000,
    ("Committee", "draw"): 1_000_000,
    ("Committee", "commitVote"): 65_000,
    ("Committee", "revealVote"): 75_000,
    ("Committee", "appeal"): 100_000,
    ("Committee", "answerAppeal"): 110_000,
    ("Committee", "settle"): 500_000,
    ("Committee", "claimFee"): 70_000,
}


def ask_everything(court: Court) -> None:
    statement = court.state()
    court.commit(statement)
    commitment = court.ledger.commitments[-1]
    asked = [questions.ask(court, statement.epoch, kind) for kind in range(4)]
    past = questions.ask(court, statement.epoch, questions.RECEIPT, index=9)
    questions.answer_line(court, asked[0], statement)
    questions.answer_receipt(court, asked[1], statement)
    questions.answer_entry(court, asked[2], commitment)
    questions.answer_cumulative(court, asked[3], commitment)
    questions.answer_past_end(court, past, questions.receipt_leaves(statement))
    last = questions.ask(court, statement.epoch, questions.LINE, index=1)
    questions.conclude(court, last, at=questions.deadline_of(court, last))


def appeal_and_overturn(court: Court) -> None:
    """Two rounds, then a slash; of the ten seats of the second round the one-seat jurors stay away."""
    court.world.stake("contributor", 10**19)
    court.world.send(court.pool.functions.sync(court.world.address("contributor")), "payer")
    id_ = court.decide(court.state("other_node"), Verdict.NOT_GUILTY)
    court.appeal(id_, "challenger")
    court.answer_appeal(id_, "other_node")
    seats = court.draw(id_, 1)
    absent = [juror for juror in set(seats) if seats.count(juror) == 1][:1]
    court.vote(id_, {juror: Verdict.GUILTY for juror in set(seats) - set(absent)}, 1)
    court.settle(id_)
    court.claim_fees(id_)
    court.world.send(court.pool.functions.leave(), "curator")
    court.enrol("curator")


def test_what_disputes_cost(court: Court) -> None:
    """SPEC 7.161"""
    court.world.gas.clear()
    ask_everything(court)
    appeal_and_overturn(court)
    measured = {call: court.world.gas[call] for call in BOUNDS}
    over = [f"{call[1]} {gas}" for call, gas in measured.items() if gas > BOUNDS[call]]
    assert not over, " ".join(over)
