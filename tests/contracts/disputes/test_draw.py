"""Who is drawn, from which seed, and when."""

from node.chain.keccak import keccak
from protocol.disputes import Verdict, draw_seats, draw_seed
from scripts.deployment_plan import OPEN
from tests.contracts.disputes.court import JUROR_STAKE, JURORS, WINDOW, Court
from tests.contracts.world import reverts


def test_the_draw_is_the_protocols(court: Court) -> None:
    """SPEC 7.141: five by the block's hash and the weights; what they risk is locked."""
    id_ = court.open(court.state())
    seats = court.draw(id_)
    block = court.world.web3.eth.get_block(court.dispute(id_)["drawBlock"])["hash"]
    seed = draw_seed(bytes(block), id_, 0, keccak)
    places = draw_seats(seed, [20] * len(JURORS), lambda _: True, 5, keccak)
    assert seats == [JURORS[place] for place in places]
    locked = court.world.staking.functions.locked
    for juror in JURORS:
        risk = JUROR_STAKE // 100 * (juror in seats)
        assert locked(court.world.address(juror)).call() == risk
        ballot = court.named("getBallot", id_, 0, court.world.address(juror))
        assert (ballot["seats"], ballot["atRisk"]) == (seats.count(juror), risk)
    drawn = court.named("getRound", id_, 0)
    assert (drawn["seats"], len(drawn["jurors"])) == (5, len(set(seats)))


def test_the_parties_and_their_friends_are_left_out(court: Court) -> None:
    """SPEC 7.152: attempts that land on them are lost, and the others' draws stay what they are."""
    court.world.stake("node", OPEN, staker="curator")
    court.world.authorize("node", "staker")
    court.world.authorize("model_owner", "challenger")
    out = {JURORS.index(name) for name in ("curator", "staker", "model_owner")}
    id_ = court.open(court.state())
    seats = court.draw(id_)
    block = court.world.web3.eth.get_block(court.dispute(id_)["drawBlock"])["hash"]
    places = draw_seats(
        draw_seed(bytes(block), id_, 0, keccak), [20] * 6, lambda place: place not in out, 5, keccak
    )
    assert seats == [JURORS[place] for place in places]
    assert not {JURORS.index(juror) for juror in seats} & out


def test_who_leaves_the_node_when_it_is_disputed_still_may_not_judge(court: Court) -> None:
    """SPEC 7.152: whoever staked on the node when the dispute opened is left out."""
    staking = court.world.staking.functions
    node = court.world.address("node")
    for juror in JURORS[:5]:
        court.world.stake("node", OPEN, staker=juror)
    id_ = court.open(court.state())
    for juror in JURORS[:5]:
        shares = staking.sharesOf(node, court.world.address(juror)).call()
        court.world.send(staking.unbond(node, shares), juror)
    assert set(court.draw(id_)) == {JURORS[5]}


def test_nobody_is_drawn_by_stake_that_is_gone(court: Court) -> None:
    """SPEC 7.152, 7.159: a weight above the stake draws nobody, whether or not anyone corrected it."""
    for juror in JURORS[:3]:
        at = court.world.address(juror)
        shares = court.world.staking.functions.sharesOf(at, at).call()
        court.world.send(court.world.staking.functions.unbond(at, shares // 2), juror)
    id_ = court.open(court.state())
    assert set(court.draw(id_)) <= set(JURORS[3:])


def test_who_joins_after_the_seed_is_not_drawn(court: Court) -> None:
    """SPEC 7.153, 7.159: weights are those with which the period began."""
    court.world.stake("payer", 10_000 * OPEN)
    id_ = court.open(court.state())
    court.reach_block(court.dispute(id_)["drawBlock"])
    court.enrol("payer")
    assert "payer" not in court.draw(id_)


def test_a_draw_waits_for_its_block(court: Court) -> None:
    """SPEC 7.153"""
    id_ = court.open(court.state())
    scheduled = court.dispute(id_)["drawBlock"]
    assert scheduled > court.world.web3.eth.block_number
    court.reach_block(scheduled - 1)
    with reverts("CommitteeDrawPending", id_, scheduled):
        court.world.send(court.committee.functions.draw(id_), "payer")
    court.draw(id_)
    with reverts("CommitteeAlreadyDrawn", id_, 0):
        court.draw(id_)


def test_a_seed_of_another_period_is_drawn_anew(court: Court) -> None:
    """SPEC 7.153: the call schedules a later block instead."""
    statement = court.state()
    court.reach_block((court.world.web3.eth.block_number // 32 + 1) * 32 + 22)
    id_ = court.open(statement)
    first = court.dispute(id_)["drawBlock"]
    court.reach_block((first // 32 + 1) * 32)
    mined = court.world.send(court.committee.functions.draw(id_), "payer")
    (event,) = court.world.events(mined, court.committee, "DrawScheduled")
    assert event["drawBlock"] == court.dispute(id_)["drawBlock"] > first
    assert len(court.draw(id_)) == 5


def test_too_few_jurors_schedule_a_later_draw(court: Court) -> None:
    """SPEC 7.143, 7.153: and the dispute ends all the same."""
    for juror in JURORS:
        court.world.send(court.pool.functions.leave(), juror)
    id_ = court.open(court.state())
    first = court.dispute(id_)["drawBlock"]
    court.reach_block(first)
    mined = court.world.send(court.committee.functions.draw(id_), "payer")
    assert court.world.events(mined, court.committee, "DrawScheduled")
    assert court.dispute(id_)["drawBlock"] > first
    court.settle(id_)
    assert court.held == 0


def test_jurors_are_drawn_in_the_first_quarter(court: Court) -> None:
    """SPEC 7.143: so that each has at least a quarter of the window to commit."""
    id_ = court.open(court.state())
    end = court.dispute(id_)["openedAt"] + WINDOW // 4
    with reverts("CommitteeTooLate", id_, end):
        court.world.send(court.committee.functions.draw(id_), "payer", at=end)


def test_a_second_round_waits_for_the_answer_or_the_end_of_its_window(court: Court) -> None:
    """SPEC 7.150, 7.153"""
    id_ = court.decide(court.state(), Verdict.GUILTY)
    court.appeal(id_, "node")
    with reverts("CommitteeTooEarly", id_, court.start(id_, 1)):
        court.world.send(court.committee.functions.draw(id_), "payer")
    court.world.pass_to(court.start(id_, 1) - 1)
    court.world.send(court.committee.functions.draw(id_), "payer", at=court.start(id_, 1))
    assert len(court.draw(id_, 1)) == 10


def test_a_juror_without_free_stake_is_passed_over(court: Court) -> None:
    """SPEC 7.159: what a juror risks must not be promised elsewhere."""
    court.world.stake("payer", 100 * OPEN)
    court.enrol("payer")
    court.pass_period()
    for juror in JURORS[1:]:
        court.world.send(court.pool.functions.leave(), juror)
    statement = court.state()
    court.commit(statement, sender="payer")  # its bond is all that this juror has
    id_ = court.open(statement)
    assert set(court.draw(id_)) == {JURORS[0]}


def test_nobody_judges_more_than_all_jurors_have_staked(court: Court) -> None:
    """SPEC 7.153: or whoever enrols first on a young network could take any node's stake."""
    weighed = len(JURORS) * JUROR_STAKE
    court.world.stake("node", weighed * 10, staker="payer")
    id_ = court.open(court.state())
    court.reach_block(court.dispute(id_)["drawBlock"])
    mined = court.world.send(court.committee.functions.draw(id_), "payer")
    assert court.world.events(mined, court.committee, "DrawScheduled")
    assert not court.world.events(mined, court.committee, "JurorsDrawn")
    court.settle(id_)
    assert court.held == 0
