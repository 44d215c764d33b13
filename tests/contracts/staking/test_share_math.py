"""The share rule in Solidity against its Python twin."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web3.contract import Contract

from node.chain.deployment import load_artifact
from protocol.staking import to_shares_down, to_tokens_down
from scripts.deployment_plan import Web3Deployer
from tests.contracts.world import World

SIZE = 2**5
wei = st.integers(0, 10**27)


@pytest.fixture
def rule(world: World) -> Contract:
    address = Web3Deployer(world.web3, world.address("deployer")).deploy("StakingMathMock")
    return world.web3.eth.contract(address=world.checksum(address), abi=load_artifact("StakingMathMock").abi)


def test_both_agree_on_every_small_number(rule: Contract) -> None:
    """SPEC 8.61: amounts, tokens and shares below 2^5, all of them."""
    for tokens in range(SIZE):
        assert rule.functions.grid(tokens, SIZE).call() == expected_grid(tokens)


def expected_grid(tokens: int) -> list[int]:
    expected = []
    for shares in range(SIZE):
        for asked in range(SIZE):
            reachable = asked <= shares and (tokens == 0) == (shares == 0)
            expected.append(to_shares_down(asked, tokens, shares))
            expected.append(to_tokens_down(asked, tokens, shares) if reachable else 0)
    return expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amount=wei, tokens=wei, shares=st.integers(0, 2**208 - 1), part=st.integers(0, 2**208 - 1))
def test_both_agree_on_large_numbers(
    rule: Contract, amount: int, tokens: int, shares: int, part: int
) -> None:
    """SPEC 8.61: up to the supply in wei and the most shares that history can hold."""
    if (bought := to_shares_down(amount, tokens, shares)) < 2**256:
        assert rule.functions.toShares(amount, tokens, shares).call() == bought
    if tokens and shares:
        asked = part % (shares + 1)
        assert rule.functions.toTokens(asked, tokens, shares).call() == to_tokens_down(asked, tokens, shares)
