"""Questions that nobody answered, and those whose object is gone."""

import pytest

from tests.contracts.disputes.court import STAKE, Court
from tests.contracts.disputes.questions import (
    ANSWERED,
    CUMULATIVE,
    ENTRY,
    LINE,
    MOOT,
    OPEN,
    RECEIPT,
    WITHHELD,
    answer_cumulative,
    answer_line,
    ask,
    challenges,
    conclude,
    deadline_of,
    status_of,
    withhold,
)
from tests.contracts.world import reverts

BOND = 10**18
SLASH = STAKE // 10


@pytest.mark.parametrize("kind", [LINE, RECEIPT])
def test_withholding_voids_the_statement(court: Court, kind: int) -> None:
    """SPEC 7.133, 7.135: from the deadline on, by anyone; the bond comes back."""
    statement = court.state()
    id_ = ask(court, statement.epoch, kind)
    before, supply = court.world.wealth("challenger"), court.supply()
    deadline = deadline_of(court, id_)
    with reverts("DataChallengesTooEarly", id_, deadline):
        conclude(court, id_, at=deadline - 1)
    mined = conclude(court, id_, at=deadline)
    (event,) = court.world.events(mined, challenges(court), "DataWithheld")
    assert event["slashed"] == SLASH
    assert court.is_voided(statement)
    assert court.world.wealth("challenger") - before == BOND + SLASH // 2
    assert supply - court.supply() == SLASH // 2
    assert court.stake_of("node") == STAKE - SLASH
    assert court.world.balance(challenges(court).address) == court.holds(statement) == 0
    with reverts("DataChallengesNotOpen", id_, WITHHELD):
        conclude(court, id_)


@pytest.mark.parametrize("kind", [ENTRY, CUMULATIVE])
def test_a_committer_answers_for_its_commitment(court: Court, kind: int) -> None:
    """SPEC 7.133: the commitment is void and its committer pays, not the node that stated."""
    statement = court.state()
    court.commit(statement, sender="other_node")
    id_ = ask(court, statement.epoch, kind, node="other_node")
    conclude(court, id_, at=deadline_of(court, id_))
    assert court.world.settlement.functions.getCommitment(statement.epoch).call()[4] == 0
    assert not court.is_voided(statement)
    assert court.stake_of("other_node") == STAKE - SLASH
    assert court.stake_of("node") == STAKE
    assert court.holds(statement) == 0


def test_one_statement_is_punished_once(court: Court) -> None:
    """SPEC 7.134: every other open question about it ends with its bond back."""
    statement = court.state()
    ids = [ask(court, statement.epoch, kind) for kind in (LINE, RECEIPT)]
    later = ask(court, statement.epoch, LINE, index=1)
    conclude(court, ids[0], at=deadline_of(court, ids[0]))
    before = court.world.balance("challenger")
    for id_ in (ids[1], later):
        conclude(court, id_)
        assert status_of(court, id_) == MOOT
    assert court.world.balance("challenger") - before == 2 * BOND
    assert court.stake_of("node") == STAKE - SLASH
    assert court.world.balance(challenges(court).address) == court.holds(statement) == 0


def test_a_root_published_again_is_asked_for_again(court: Court) -> None:
    """SPEC 7.134: neither a void commitment nor a conclusion lets the same root escape the question."""
    statement = court.state()
    court.commit(statement, sender="other_node")
    first = ask(court, statement.epoch, CUMULATIVE, node="other_node")
    second = ask(court, statement.epoch, ENTRY, node="other_node")
    conclude(court, first, at=deadline_of(court, first))
    conclude(court, second)
    assert (status_of(court, first), status_of(court, second)) == (WITHHELD, MOOT)
    commitment = court.ledger.commitments.pop()
    court.ledger.commit(commitment, "other_node")
    assert ask(court, statement.epoch, CUMULATIVE, node="other_node") == first
    assert ask(court, statement.epoch, ENTRY, node="other_node") == second
    assert (status_of(court, first), status_of(court, second)) == (OPEN, OPEN)
    answer_cumulative(court, first, commitment)
    assert status_of(court, first) == ANSWERED


def test_a_question_about_another_committers_root_is_moot(court: Court) -> None:
    """SPEC 7.134"""
    statement = court.state()
    court.commit(statement, sender="other_node")
    asked = ask(court, statement.epoch, ENTRY, node="other_node")
    withheld = ask(court, statement.epoch, CUMULATIVE, node="other_node")
    conclude(court, withheld, at=deadline_of(court, withheld))
    court.ledger.commit(court.ledger.commitments.pop(), "node")
    before = court.world.balance("challenger")
    conclude(court, asked)
    assert status_of(court, asked) == MOOT
    assert court.world.balance("challenger") - before == BOND
    assert court.stake_of("node") == STAKE
    assert court.holds(statement) == 0


def test_an_epoch_after_a_withholding_settles_without_it(court: Court) -> None:
    """SPEC 7.133: the voided statement's money rolls over, and the other node's is committed and final."""
    statement = court.state()
    withhold(court, statement)
    court.world.send(court.world.settlement.functions.rollover(statement.epoch), "node")
    court.ledger.commit(court.ledger.build(statement.epoch, []), "other_node")
    later = court.state("other_node")
    court.world.pass_to(court.ledger.end_of(later.epoch + 1))  # the rolled-over money may wait for its node
    court.ledger.commit(court.ledger.build(later.epoch, [later]), "other_node")
    end = court.world.now + court.world.settings.challenge_window
    court.ledger.finalize(statement.epoch, at=end)
    court.ledger.finalize(later.epoch)


def test_a_slash_rate_counts_from_the_asking(court: Court) -> None:
    """SPEC 7.133: the bond, the deadline and the rate are those of the question."""
    statement = court.state()
    id_ = ask(court, statement.epoch, LINE)
    record = challenges(court).functions.getChallenge(id_).call()
    assert (record[8], record[9]) == (BOND, 100_000)
    answer_line(court, id_, statement)
