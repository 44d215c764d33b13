"""Joining and leaving: what is staked is what comes back, and only a node's own signers sign."""

from pathlib import Path

import pytest
from eth_account import Account
from eth_tester.exceptions import TransactionFailed

from node.chain.deployment import Deployment
from node.chain.rpc import Chain
from node.chain.signer import authorization_digest
from node.chain.transactor import Transactor
from node.errors import ChainReverted
from node.staking.position import Staking
from node.store.database import open_database
from node.store.transactions import TransactionStore
from scripts.deployment_plan import OPEN
from tests.contracts.world import World, key_of

# In-process py-evm words a revert in its own way.
REVERTS = (ChainReverted, TransactionFailed)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture
def staking(world: World, tmp_path: Path) -> Staking:
    """The node's own account at work."""
    deployment = Deployment(world.chain_id, 0, 0, world.record["contracts"], {})
    chain = Chain(world.web3, world.chain_id, deployment)
    store = TransactionStore(open_database(tmp_path / "node.sqlite"))
    return Staking(world.staking, world.token, Transactor(chain, Account.from_key(key_of("node")), store))


def test_what_is_staked_comes_back_after_the_delay_and_not_before(world: World, staking: Staking) -> None:
    """SPEC 8.41"""
    node = world.plain("node")
    world.send(world.token.functions.transfer(world.address("node"), 500 * OPEN), "deployer")
    staking.stake(node, 400 * OPEN)
    position = staking.position(node, node)
    assert (position.staked, position.node_total, position.pending_rewards) == (400 * OPEN, 400 * OPEN, 0)
    assert (position.node_own, position.node_locked) == (400 * OPEN, 0)
    shares = world.staking.functions.sharesOf(world.address("node"), world.address("node")).call()
    staking.unbond(node, shares)
    assert staking.position(node, node).staked == 0
    with pytest.raises(REVERTS):
        staking.withdraw(1)
    world.pass_to(world.now + world.settings.unbonding_period)
    staking.withdraw(1)
    assert world.balance("node") == 500 * OPEN


def test_a_signer_signs_only_once_it_has_agreed(world: World, staking: Staking) -> None:
    """SPEC 6.50"""
    node, signer = world.plain("node"), world.signers["hot_signer"]
    assert not staking.is_signer(node, signer.address)
    deadline = world.now + 100
    wrong = signer.sign_digest(
        authorization_digest(world.plain("stranger"), signer.address, deadline, world.staking_domain)
    )
    with pytest.raises(REVERTS):
        staking.authorise_signer(signer.address, deadline, wrong)
    right = signer.sign_digest(authorization_digest(node, signer.address, deadline, world.staking_domain))
    staking.authorise_signer(signer.address, deadline, right)
    assert staking.is_signer(node, signer.address)
    assert not staking.is_signer(world.plain("other_node"), signer.address)


def test_what_a_signer_signed_stays_valid_when_it_is_revoked(world: World, staking: Staking) -> None:
    """SPEC 6.50"""
    node, signer = world.plain("node"), world.plain("challenger")
    assert not staking.was_signer(node, signer)
    world.authorize("node", "challenger")
    revoked = world.send(world.staking.functions.revokeSigner(world.checksum(signer)), "node")
    assert staking.is_signer(node, signer)
    world.pass_to(revoked.time + world.settings.signer_revoke_delay)
    assert staking.was_signer(node, signer) and not staking.is_signer(node, signer)
