"""Whoever asks gets an answer."""

import pytest

from tests.contracts.epochs import Ledger
from tests.contracts.judged import commit, state, void_commitment, void_statement
from tests.contracts.world import World

GREATEST = 2**64 - 1


def ask_everything(world: World, epoch: int) -> None:
    functions, node = world.settlement.functions, world.address("node")
    for name in ("statedTotal", "waitingFor", "holdsOn", "isClosed", "getCommitment", "previousCommitment"):
        functions[name](epoch).call()
    for name in ("funded", "getStatement", "isStanding", "isChallengeable"):
        functions[name](epoch, node).call()
    for name in ("nextToCommit", "latestCommitted", "latestFinal", "currentEpoch"):
        functions[name]().call()


@pytest.mark.parametrize("epoch", [0, 1, 2**32, GREATEST - 1, GREATEST])
def test_no_view_reverts_for_any_epoch(world: World, ledger: Ledger, epoch: int) -> None:
    """SPEC 7.70: whatever the epoch, and before and after the first settlement."""
    ask_everything(world, epoch)
    ledger.settle("node", {"contributor": 5})
    ask_everything(world, epoch)


def test_no_view_reverts_in_any_state_of_an_epoch(court: World, book: Ledger) -> None:
    """SPEC 7.70: funded, stated, committed, void, committed again, final."""
    epoch = book.earn("node", 50)
    ask_everything(court, epoch)
    assert court.settlement.functions.waitingFor(epoch).call() == 1
    court.pass_to(book.end_of(epoch + 1))
    book.publish(book.statement(epoch, "node", {"contributor": 50}), "node")
    assert court.settlement.functions.waitingFor(epoch).call() == 0
    assert not court.settlement.functions.isClosed(epoch).call()
    commit(book, epoch, {"node": 50})
    ask_everything(court, epoch)
    void_commitment(court, epoch)
    ask_everything(court, epoch)
    void_statement(court, epoch, "node")
    book.commitments.clear()
    end = book.commit(book.build(epoch, [])).time + court.settings.challenge_window
    book.finalize(epoch, at=end)
    ask_everything(court, epoch)
    assert state(book, {"node": 9}) > epoch


def test_a_commitment_tells_its_times(world: World, ledger: Ledger) -> None:
    """SPEC 7.28: its window is the one of the moment in which it was made."""
    made = ledger.settle("node", {"contributor": 5})
    record = world.settlement.functions.getCommitment(made.epoch).call()
    assert record[5] - record[4] == world.settings.challenge_window
    assert record[6] is True
