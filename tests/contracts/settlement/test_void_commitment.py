"""A commitment proven false: it and all upon it fall; its statements stand."""

from tests.contracts.epochs import Ledger
from tests.contracts.judged import JUDGE, commit, state, void_commitment
from tests.contracts.world import World, reverts


def test_it_falls_with_all_that_was_built_on_it(court: World, book: Ledger) -> None:
    """SPEC 7.61: the cursor goes back to the commitment before it; other roots may take its place."""
    epochs = [state(book, {"node": 50 + n}) for n in range(3)]
    for n, epoch in enumerate(epochs):
        commit(book, epoch, {"node": 50 + n})
    mined = void_commitment(court, epochs[1])
    (event,) = court.events(mined, court.settlement, "CommitmentVoided")
    assert (event["epoch"], event["judge"]) == (epochs[1], court.address(JUDGE))
    latest, root, total = court.settlement.functions.latestCommitted().call()
    assert (latest, root, total) == (epochs[0], book.commitments[0].cum_root.digest, 50)
    for epoch in epochs[1:]:
        assert court.settlement.functions.isStanding(epoch, court.address("node")).call()
        with reverts("EpochSettlementUnknownCommitment", epoch):
            book.finalize(epoch)
    del book.commitments[1:]
    commit(book, epochs[1], {"node": 51}, "other_node")
    assert court.settlement.functions.getCommitment(epochs[1]).call()[3] == court.address("other_node")


def test_a_fallen_commitment_cannot_fall_again_until_it_is_made_anew(court: World, book: Ledger) -> None:
    """SPEC 7.63: what is left of it in storage is no commitment."""
    epoch = state(book, {"node": 50})
    commit(book, epoch, {"node": 50})
    void_commitment(court, epoch)
    with reverts("EpochSettlementUnknownCommitment", epoch):
        void_commitment(court, epoch)
    book.commitments.clear()
    commit(book, epoch, {"node": 50})
    void_commitment(court, epoch)


def test_only_judges_and_nothing_final(court: World, book: Ledger) -> None:
    """SPEC 7.63: nobody but a judge; no final commitment, and none that does not exist."""
    final = book.settle("node", {"contributor": 300})
    with reverts("EpochSettlementNotJudge", court.address("stranger")):
        void_commitment(court, final.epoch, by="stranger")
    with reverts("EpochSettlementAlreadyFinal", final.epoch):
        void_commitment(court, final.epoch)
    with reverts("EpochSettlementUnknownCommitment", 77):
        void_commitment(court, 77)


def test_the_window_runs_anew(court: World, book: Ledger) -> None:
    """SPEC 7.28: a commitment made again has a whole window of its own."""
    epoch = state(book, {"node": 50})
    first = commit(book, epoch, {"node": 50}).time
    court.pass_to(first + court.settings.challenge_window - 1)
    void_commitment(court, epoch)
    book.commitments.clear()
    until = commit(book, epoch, {"node": 50}).time + court.settings.challenge_window
    with reverts("EpochSettlementWindowOpen", epoch, until):
        book.finalize(epoch, at=until - 1)
    book.finalize(epoch, at=until)
