"""Slashes through the one door there is: a proven fault."""

from dataclasses import replace

from scripts.deployment_plan import OPEN
from tests.contracts.epochs import receipt_of, solidity_receipt
from tests.contracts.seals import prove_sealed
from tests.contracts.staking.test_stake import unbond, worth
from tests.contracts.world import World, reverts


def slash(world: World, seq: int = 1) -> int:
    """Convicts the node once; returns the amount slashed: a tenth of what is slashable."""
    a = receipt_of(world, "node", 5, seq=seq, request_id=bytes([seq]) * 32)
    b = replace(a, price=6)
    signed = [world.signers["node"].sign_receipt(r, world.receipts_domain) for r in (a, b)]
    call = world.faults.functions.proveEquivocation(
        solidity_receipt(a), signed[0], solidity_receipt(b), signed[1]
    )
    (event,) = world.events(prove_sealed(world, call), world.faults, "EquivocationProven")
    return int(event["slashed"])


def test_only_fault_proofs_slash(world: World) -> None:
    """SPEC 8.27: nobody but the fault proofs takes stake."""
    world.stake("node", OPEN)
    with reverts("NodeStakingNotSlasher", world.address("stranger")):
        call = world.staking.functions.slash(world.address("node"), 1, world.address("stranger"))
        world.send(call, "stranger")


def test_a_slash_is_half_burnt_and_half_paid(world: World) -> None:
    """SPEC 8.27: of what is slashed half is burnt (the odd wei too) and half goes to the challenger."""
    world.stake("node", 1_000_000_010)
    supply = world.token.functions.totalSupply().call()
    slashed = slash(world)
    assert slashed == 100_000_001
    assert world.balance("challenger") == 50_000_000
    assert supply - world.token.functions.totalSupply().call() == 50_000_001
    assert world.balance(world.staking.address) == 1_000_000_010 - slashed


def test_all_stakers_bear_a_slash_alike_exits_included(world: World) -> None:
    """SPEC 8.26: stake that is being unbonded is slashed at the same rate as stake at work."""
    world.stake("node", 100 * OPEN, staker="staker")
    world.stake("node", 100 * OPEN, staker="other_staker")
    ticket, ready_at = unbond(world, "other_staker")
    assert slash(world) == 20 * OPEN
    assert abs(worth(world, "staker") - 90 * OPEN) <= 1
    world.send(world.staking.functions.withdraw(ticket), "other_staker", at=ready_at)
    assert abs(world.balance("other_staker") - 90 * OPEN) <= 1


def test_a_withdrawn_stake_is_beyond_reach(world: World) -> None:
    world.stake("node", 100 * OPEN, staker="staker")
    ticket, ready_at = unbond(world, "staker")
    world.send(world.staking.functions.withdraw(ticket), "staker", at=ready_at)
    assert slash(world) == 0
    assert world.balance("staker") == 100 * OPEN


def test_a_new_staker_does_not_pay_for_an_old_slash(world: World) -> None:
    """SPEC 8.27: shares bought after a slash are priced after it, however often it happens."""
    world.stake("node", 100 * OPEN, staker="staker")
    for seq in range(1, 6):
        slash(world, seq)
    world.stake("node", 50 * OPEN, staker="other_staker")
    assert abs(worth(world, "other_staker") - 50 * OPEN) <= 1
    assert abs(worth(world, "staker") - 59_049 * OPEN // 1_000) <= 5
