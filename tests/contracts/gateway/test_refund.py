"""What becomes of a request that nobody answered."""

import pytest

from tests.contracts.asking import ask, ask_through, consumer
from tests.contracts.world import World, reverts


@pytest.mark.parametrize(("offset", "accepted"), [(-1, False), (0, True), (1, True)])
def test_anyone_refunds_from_the_deadline_on(world: World, offset: int, accepted: bool) -> None:
    """SPEC 6.90: from the deadline on anyone repays an unanswered request's whole escrow to its requester."""
    asked = ask(world, 100)
    before = world.balance("payer")
    if not accepted:
        with reverts("InferenceGatewayDeadlineNotPassed", asked.id, asked.deadline):
            asked.refund(at=asked.deadline + offset)
        return
    asked.refund(at=asked.deadline + offset)
    assert (asked.status, world.balance("payer") - before) == ("refunded", 100)
    with reverts("InferenceGatewayNotPending", asked.id, 3):
        asked.refund()
    with reverts("InferenceGatewayNotPending", asked.id, 3):
        asked.fulfil()


def test_a_refund_does_not_ask_the_requester(world: World) -> None:
    """SPEC 6.90: a requester that refuses everything is refunded all the same."""
    hostile = consumer(world, mode=1)
    asked = ask_through(world, hostile)
    before = world.balance(hostile.address)
    asked.refund(at=asked.deadline)
    assert world.balance(hostile.address) - before == 100
