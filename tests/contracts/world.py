"""The deployed suite on a test chain, and the actors who use it.

Under pytest the chain is py-evm in this process and contracts come from the committed artifacts; under
`brownie test` it is the anvil that Brownie launched, and Brownie deploys them; the plan is the same. Time is
the test's: a block has the time it is given, else one second more than its parent. Signatures are made by
the node's own signer over digests of `protocol`, so that each accepted one is also a check of the two against
each other.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from eth_tester.exceptions import TransactionFailed
from web3 import Web3
from web3.exceptions import ContractLogicError
from web3.utils import get_create_address

from node.chain.keccak import keccak
from node.chain.signer import Signer, signer_of
from scripts.deployment_plan import DEVNET, ORDER, Settings, deploy_with_web3
from tests.contracts.chains import Anvil, Chain, InProcess

BIRTH = 2_000_000_000  # later than the wall clock, which py-evm would otherwise follow
GAS = 8_000_000
REFUSALS = (TransactionFailed, ContractLogicError)
Deploy = Callable[[Web3, str, Settings], dict[str, Any]]
ACTORS = (
    "deployer",
    "payer",
    "node",
    "other_node",
    "contributor",
    "curator",
    "model_owner",
    "staker",
    "other_staker",
    "challenger",
    "stranger",
    "hot_signer",
    "guardian",
)


class Reverted(Exception):
    """A call reverted with a declared error and its values."""

    def __init__(self, name: str, values: tuple[Any, ...]) -> None:
        super().__init__(name, values)
        self.name = name
        self.values = values


@dataclass(frozen=True)
class Mined:
    """A successful transaction: its gas, its block's time, its receipt."""

    gas: int
    time: int
    receipt: Any


def key_of(name: str) -> bytes:
    return keccak(f"test actor {name}".encode())


SETTINGS = replace(
    DEVNET,
    epoch_length=100,
    challenge_window=50,
    unbonding_period=340,
    genesis=BIRTH,
    timelock_delay=20,
    guardian=signer_of(key_of("guardian")).address,
)


class World:
    """One chain, one deployment. `gas` keeps the largest gas seen by (contract, function)."""

    def __init__(
        self, settings: Settings = SETTINGS, url: str | None = None, deploy: Deploy = deploy_with_web3
    ) -> None:
        self.signers: dict[str, Signer] = {name: signer_of(key_of(name)) for name in ACTORS}
        keys = {signer.address: key_of(name) for name, signer in self.signers.items()}
        # py-evm makes even a caller hold gas money, and the role matrix calls in the contracts' names too.
        suite = [get_create_address(self.address("deployer"), nonce) for nonce in range(len(ORDER))]
        # Each creation takes a block, and so a second, before the suite is born.
        start = BIRTH - len(ORDER) - 20
        self.chain: Chain = InProcess(keys, start, suite) if url is None else Anvil(url, keys, start)
