"""Who is paid for a proof: whoever sealed that very proof in an earlier block, else nobody."""

from dataclasses import replace

import pytest
from eth_account import Account
from web3.contract.contract import ContractFunction

from node.chain.keccak import keccak
from protocol.seals import seal_digest
from scripts.deployment_plan import OPEN
from tests.contracts.chains import InProcess
from tests.contracts.epochs import receipt_of, solidity_receipt
from tests.contracts.seals import calldata, prove_sealed, seal
from tests.contracts.world import World, key_of

STAKE = 1_000 * OPEN


def equivocation(world: World, price: int = 6) -> ContractFunction:
    a = receipt_of(world, "node", 5)
    b = replace(a, price=price)
    signed = [world.signers["node"].sign_receipt(one, world.receipts_domain) for one in (a, b)]
    return world.faults.functions.proveEquivocation(
        solidity_receipt(a), signed[0], solidity_receipt(b), signed[1]
    )


def test_the_digest_is_that_of_the_protocol(world: World) -> None:
    """SPEC 7.80"""
    call = calldata(equivocation(world))
    digest = world.faults.functions.sealDigest(world.address("challenger"), call).call()
    assert digest == seal_digest(world.plain("challenger"), call, keccak)


def test_a_sealed_proof_pays_its_prover_half(world: World) -> None:
    """SPEC 7.80"""
    world.stake("node", STAKE)
    prove_sealed(world, equivocation(world))
    assert world.wealth("challenger") == STAKE // 20


def test_an_unsealed_proof_burns_all(world: World) -> None:
    """SPEC 7.80: a copier in the mempool has no seal."""
    world.stake("node", STAKE)
    supply = world.supply()
    world.send(world.faults.functions.seal(b"\7" * 32), "challenger")
    world.send(equivocation(world), "challenger")
    assert world.wealth("challenger") == 0
    assert supply - world.supply() == STAKE // 10


def test_a_seal_serves_its_challenger_and_its_proof_alone(world: World) -> None:
    """SPEC 7.80"""
    world.stake("node", STAKE)
    call = equivocation(world)
    seal(world, call, "challenger")
    world.send(call, "stranger")
    assert world.wealth("stranger") == world.wealth("challenger") == 0


def test_another_proof_of_the_same_fault_is_another_seal(world: World) -> None:
    """SPEC 7.80: a seal made in advance for a fault without its evidence is worth nothing."""
    world.stake("node", STAKE)
    seal(world, equivocation(world, 7), "stranger")
    world.send(equivocation(world, 6), "stranger")
    assert world.wealth("stranger") == 0


def test_a_seal_and_its_proof_are_of_different_blocks(world: World) -> None:
    """SPEC 7.80: block n seals, block n + 1 proves; in block n itself the proof would be its own seal."""
    if not isinstance(world.chain, InProcess):
        pytest.skip("needs a chain that does not mine each transaction by itself")
    world.stake("node", STAKE)
    call = equivocation(world)
    digest = seal_digest(world.plain("challenger"), calldata(call), keccak)
    nonce = world.web3.eth.get_transaction_count(world.address("challenger"))
    sent = []
    for place, one in enumerate((world.faults.functions.seal(digest), call)):
        terms = {"from": world.address("challenger"), "gas": 2_000_000, "nonce": nonce + place}
        signed = Account.sign_transaction(one.build_transaction(terms), key_of("challenger"))
        # Straight to the backend: the tester would mine a block for each.
        sent.append(world.chain.tester.backend.send_raw_transaction(bytes(signed.raw_transaction)))
    world.chain.mine()
    blocks = [world.web3.eth.get_transaction_receipt(one)["blockNumber"] for one in sent]
    assert blocks == [world.faults.functions.sealedAt(digest).call()] * 2
    assert world.wealth("challenger") == 0
    assert world.staking.functions.totalStake(world.address("node")).call() == STAKE - STAKE // 10


def test_the_first_seal_of_a_digest_stays(world: World) -> None:
    """SPEC 7.80: nobody can move another's seal to a later block."""
    digest = keccak(b"digest")
    first = world.send(world.faults.functions.seal(digest), "challenger")
    assert [event["digest"] for event in world.events(first, world.faults, "Sealed")] == [digest]
    at = world.faults.functions.sealedAt(digest).call()
    assert (
        world.events(world.send(world.faults.functions.seal(digest), "stranger"), world.faults, "Sealed")
        == []
    )
    assert world.faults.functions.sealedAt(digest).call() == at
