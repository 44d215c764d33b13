"""Opening a dispute: over which receipt, for what, until when."""

from dataclasses import replace

from tests.contracts.disputes.court import APPEAL, BOND, MOOT, OPENED, WINDOW, Court
from tests.contracts.disputes.questions import withhold
from tests.contracts.epochs import CID
from tests.contracts.world import reverts


def test_a_dispute_is_over_a_stated_receipt(court: Court) -> None:
    """SPEC 7.154: the proof must show this very receipt in the node's statement."""
    statement = court.state()
    receipt = statement.receipts[0]
    with reverts("CommitteeNotStated"):
        call = court.open_call(statement, replace(receipt, output_tokens=1))
        court.world.send(call, "challenger")
    mined = court.world.send(court.open_call(statement, receipt), "challenger")
    (event,) = court.world.events(mined, court.committee, "DisputeOpened")
    id_ = court.id_of(statement)
    assert (event["id"], event["bond"], event["claimCid"]) == (id_, BOND, CID)
    assert event["challenger"] == court.world.address("challenger")
    record = court.dispute(id_)
    assert record["status"] == OPENED
    assert record["openedAt"] == mined.time
    assert (record["committeeWindow"], record["appealWindow"]) == (WINDOW, APPEAL)
    assert court.held == BOND
    assert court.holds(statement) == 1


def test_one_receipt_is_disputed_once(court: Court) -> None:
    """SPEC 7.154: whoever asks, and also after the dispute ended."""
    statement = court.state()
    id_ = court.open(statement)
    for sender in ("challenger", "other_node"):
        with reverts("CommitteeAlreadyDisputed", id_):
            court.open(statement, sender)
    court.settle(id_)
    with reverts("CommitteeAlreadyDisputed", id_):
        court.open(statement)


def test_a_void_statement_cannot_be_disputed(court: Court) -> None:
    """SPEC 7.154"""
    statement = court.state()
    withhold(court, statement)
    with reverts("CommitteeNotChallengeable", statement.epoch, court.world.address("node")):
        court.open(statement)


def test_disputes_open_within_the_challenge_window(court: Court) -> None:
    """SPEC 7.154, 7.155: while now < its end; then finality waits for the dispute."""
    statement = court.state()
    end = court.commit(statement).time + court.world.settings.challenge_window
    with reverts("EpochSettlementWindowOver", statement.epoch, end):
        court.open(statement, at=end)
    # The refused block has passed the window, so this epoch is lost to challengers.
    court.ledger.finalize(statement.epoch)
    with reverts("CommitteeNotChallengeable", statement.epoch, court.world.address("node")):
        court.open(statement)


def test_an_open_dispute_holds_finality(court: Court) -> None:
    """SPEC 7.155"""
    statement = court.state()
    end = court.commit(statement).time + court.world.settings.challenge_window
    id_ = court.open(statement, at=end - 1)
    with reverts("EpochSettlementHeld"):
        court.ledger.finalize(statement.epoch, at=end)
    court.settle(id_)
    court.ledger.finalize(statement.epoch)


def test_a_claim_is_named_by_its_cid(court: Court) -> None:
    """SPEC 7.154: unbounded bytes are no CID."""
    statement = court.state()
    call = court.open_call(statement, statement.receipts[0])
    for cid, refusal in ((b"", "BoundedBytesEmpty"), (b"\x01" * 97, "BoundedBytesTooLong")):
        with reverts(refusal):
            court.world.send(court.committee.functions.open(*call.args[:4], cid), "challenger")


def test_getters_answer_for_what_never_was(court: Court) -> None:
    """SPEC 7.157"""
    id_, nobody = b"\x07" * 32, court.world.address("stranger")
    assert court.dispute(id_)["status"] == 0
    for round_index in (0, 1, 2, 2**255):
        assert court.named("getRound", id_, round_index) == {
            "seats": 0,
            "guilty": 0,
            "notGuilty": 0,
            "jurors": [],
        }
        assert court.named("getBallot", id_, round_index, nobody)["seats"] == 0
        assert court.start(id_, round_index) == 0
        assert court.committee.functions.feeOf(id_, round_index, nobody).call() == 0
    assert court.committee.functions.verdictOf(id_).call() == 0
    assert court.committee.functions.settleableAt(id_).call() == 0
    assert court.pool.functions.weightOf(nobody).call() == 20
    assert court.pool.functions.weightOf(court.world.address("payer")).call() == 0
    assert int(court.pool.functions.jurorAt(2**255).call(), 16) == 0


def test_a_dispute_ended_by_another_judge_stays_ended(court: Court) -> None:
    """SPEC 7.151, 7.156"""
    statement = court.state()
    id_ = court.open(statement)
    withhold(court, statement)
    court.settle(id_, at=court.world.now + 1)
    for function, arguments in (
        ("draw", ()),
        ("commitVote", (b"\x01" * 32,)),
        ("settle", ()),
        ("appeal", ()),
    ):
        with reverts("CommitteeWrongStatus", id_, MOOT):
            court.world.send(court.committee.functions[function](id_, *arguments), "node")
