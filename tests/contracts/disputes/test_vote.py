"""Commit and reveal: who, what, when; and that nothing copied counts."""

from node.chain.keccak import keccak
from protocol.disputes import Verdict, vote_digest
from tests.contracts.disputes.court import NO_VERDICT, SALT, WINDOW, Court
from tests.contracts.world import reverts


def drawn(court: Court) -> tuple[bytes, list[str]]:
    """A dispute and its jurors; the first has the fewest seats, so that alone it decides nothing."""
    id_ = court.open(court.state())
    court.draw(id_)
    seats = court.seated[id_, 0]
    return id_, sorted(dict.fromkeys(seats), key=seats.count)


def test_only_the_drawn_vote(court: Court) -> None:
    """SPEC 7.160"""
    id_, _ = drawn(court)
    with reverts("CommitteeNotSeated", id_, 0, court.world.address("payer")):
        court.commit_vote(id_, "payer", Verdict.GUILTY)
    court.world.pass_to(court.start(id_) + WINDOW // 2)
    with reverts("CommitteeNotSeated", id_, 0, court.world.address("payer")):
        court.reveal(id_, "payer", Verdict.GUILTY)


def test_a_juror_commits_once(court: Court) -> None:
    """SPEC 7.160: to something."""
    id_, (juror, *_) = drawn(court)
    with reverts("CommitteeBadCommitment", id_, court.world.address(juror), bytes(32)):
        court.world.send(court.committee.functions.commitVote(id_, bytes(32)), juror)
    court.commit_vote(id_, juror, Verdict.GUILTY)
    with reverts("CommitteeAlreadyCommitted", id_, court.world.address(juror)):
        court.commit_vote(id_, juror, Verdict.NOT_GUILTY)


def test_commitments_end_where_reveals_begin(court: Court) -> None:
    """SPEC 7.160: commit while now < half, reveal from half while now < end."""
    id_, (late, *others) = drawn(court)
    juror = others[0]
    half, end = court.start(id_) + WINDOW // 2, court.start(id_) + WINDOW
    court.commit_vote(id_, juror, Verdict.GUILTY)
    with reverts("CommitteeTooEarly", id_, half):
        court.reveal(id_, juror, Verdict.GUILTY, at=half - 1)
    digest = vote_digest(id_, 0, court.world.plain(late), Verdict.GUILTY, SALT, keccak)
    with reverts("CommitteeTooLate", id_, half):
        court.world.send(court.committee.functions.commitVote(id_, digest), late, at=half)
    with reverts("CommitteeTooLate", id_, end):
        court.reveal(id_, juror, Verdict.GUILTY, at=end)


def test_a_reveal_is_what_was_committed(court: Court) -> None:
    """SPEC 7.144, 7.160: verdict and salt, once, and never no verdict."""
    id_, (juror, silent, *_) = drawn(court)
    court.commit_vote(id_, juror, Verdict.GUILTY)
    court.world.pass_to(court.start(id_) + WINDOW // 2)
    with reverts("CommitteeBadCommitment"):
        court.reveal(id_, juror, Verdict.NOT_GUILTY)
    with reverts("CommitteeBadVerdict", 0):
        court.reveal(id_, juror, Verdict.NONE)
    with reverts("CommitteeBadCommitment"):
        court.reveal(id_, silent, Verdict.GUILTY)
    court.reveal(id_, juror, Verdict.GUILTY)
    with reverts("CommitteeAlreadyRevealed", id_, court.world.address(juror)):
        court.reveal(id_, juror, Verdict.GUILTY)
    assert court.named("getRound", id_, 0)["guilty"] == court.seated[id_, 0].count(juror)


def test_a_copied_commitment_reveals_nothing(court: Court) -> None:
    """SPEC 7.144: the copier knows verdict and salt once the other has revealed, and is slashed as absent."""
    id_, (juror, copier, *_) = drawn(court)
    mined = court.commit_vote(id_, juror, Verdict.GUILTY)
    (event,) = court.world.events(mined, court.committee, "VoteCommitted")
    court.world.send(court.committee.functions.commitVote(id_, event["commitment"]), copier)
    court.world.pass_to(court.start(id_) + WINDOW // 2)
    court.reveal(id_, juror, Verdict.GUILTY)
    with reverts("CommitteeBadCommitment"):
        court.reveal(id_, copier, Verdict.GUILTY)
    before = court.stake_of(copier)
    assert court.settle(id_)["status"] == NO_VERDICT
    assert court.stake_of(copier) < before


def test_first_round_votes_do_not_pass_for_second_round_ones(court: Court) -> None:
    """SPEC 7.144: a digest names its round."""
    id_ = court.decide(court.state(), Verdict.GUILTY)
    court.appeal(id_, "node")
    court.answer_appeal(id_, "challenger")
    juror = court.draw(id_, 1)[0]
    court.commit_vote(id_, juror, Verdict.GUILTY, round_index=0)
    court.world.pass_to(court.start(id_, 1) + WINDOW // 2)
    with reverts("CommitteeBadCommitment"):
        court.reveal(id_, juror, Verdict.GUILTY)
