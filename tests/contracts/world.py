"""The deployed suite on a test chain, and the actors who use it.

Under pytest the chain is py-evm in this process and contracts come from the committed artifacts; under
`brownie test` it is the anvil that Brownie launched, and Brownie deploys them; the plan is the same. Time is
the test's: a block has the time it is given, else one second more than its parent. Signatures are made by
the node's own signer over digests of `protocol`, so that each accepted one is also a check of the two against
each other.
"""

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from eth_tester.exceptions import TransactionFailed
from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.exceptions import ContractLogicError
from web3.logs import DISCARD
from web3.types import RPCEndpoint
from web3.utils import get_create_address

from node.chain.deployment import load_artifact
from node.chain.keccak import keccak
from node.chain.reverts import decode_revert, packaged_shapes
from node.chain.signer import Signer, authorization_digest, signer_of, staking_domain
from protocol.eip712 import Domain, channels_domain, receipts_domain
from protocol.types import Address
from scripts.deployment_plan import DEVNET, OPEN, ORDER, Settings, deploy_with_web3
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
        self.web3 = self.chain.web3
        self.web3.eth.default_account = self.address("deployer")
        self.record = deploy(self.web3, self.address("deployer"), settings)
        self.settings = settings
        self.gas: dict[tuple[str, str], int] = {}
        self.pass_to(BIRTH)

    def address(self, actor: str) -> str:
        """An actor's checksum address, as web3 wants it."""
        return str(to_checksum_address(self.signers[actor].address))

    @staticmethod
    def checksum(address: str) -> str:
        """Any address as web3 wants it."""
        return str(to_checksum_address(address))

    def plain(self, actor: str) -> Address:
        """An actor's lower-case address, as `protocol` wants it."""
        return self.signers[actor].address

    def contract(self, name: str) -> Contract:
        address = to_checksum_address(self.record["contracts"][name])
        return self.web3.eth.contract(address=address, abi=load_artifact(name).abi)

    @cached_property
    def token(self) -> Contract:
        return self.contract("OpenToken")

    @cached_property
    def channels(self) -> Contract:
        return self.contract("PaymentChannels")

    @cached_property
    def gateway(self) -> Contract:
        return self.contract("InferenceGateway")

    @cached_property
    def settlement(self) -> Contract:
        return self.contract("EpochSettlement")

    @cached_property
    def distributor(self) -> Contract:
        return self.contract("RewardDistributor")

    @cached_property
    def staking(self) -> Contract:
        return self.contract("NodeStaking")

    @cached_property
    def faults(self) -> Contract:
        return self.contract("FaultProofs")

    @cached_property
    def parameters(self) -> Contract:
        return self.contract("ProtocolParameters")

    @property
    def now(self) -> int:
        """The head's time."""
        return int(self.web3.eth.get_block("latest")["timestamp"])

    def pass_to(self, time: int) -> None:
        """Mines an empty block of that time."""
        self._set_next(time)
        self.chain.mine()
        assert self.now == time

    def send(self, call: ContractFunction, sender: str, at: int | None = None) -> Mined:
        """Mines the call; `at` is its block's time. Raises Reverted."""
        if at is not None:
            self._set_next(at)
        source = {"from": self.address(sender), "gas": GAS}
        digest = call.transact(source)
        receipt = self.web3.eth.wait_for_transaction_receipt(digest, timeout=30, poll_latency=0.005)
        time = int(self.web3.eth.get_block(receipt["blockNumber"])["timestamp"])
        assert at is None or time == at
        if receipt["status"] == 0:
            self._raise_reason(call, source)
        name = self._name_of(call.address), call.fn_name
        self.gas[name] = max(self.gas.get(name, 0), receipt["gasUsed"])
        return Mined(receipt["gasUsed"], time, receipt)

    def call(self, call: ContractFunction, sender: str = "stranger", gas: int = GAS) -> Any:
        """The answer in the head's state and time. Raises Reverted."""
        try:
            return call.call({"from": self.address(sender), "gas": gas})
        except REFUSALS as error:
            raise _decoded(error) from None

    def outcome(self, target: str, data: str, sender: str) -> str:
        """How a call from any address would end in the head's state: empty, or its error's name."""
        # Past web3's middleware, which takes longer than the call; the role matrix makes thousands.
        call = {
            "from": sender,
            "to": target,
            "data": data,
            "gas": GAS if isinstance(self.chain, InProcess) else hex(GAS),
        }
        try:
            answer = self.web3.provider.make_request(RPCEndpoint("eth_call"), [call, "latest"])
        except REFUSALS as error:
            return _decoded(error).name
        refusal: Any = answer.get("error")
        return _decoded(ContractLogicError("", refusal.get("data"))).name if refusal else ""

    def events(self, mined: Mined, contract: Contract, name: str) -> list[dict[str, Any]]:
        return [
            dict(log["args"])
            for log in contract.events[name]().process_receipt(mined.receipt, errors=DISCARD)
        ]

    def balance(self, who: str) -> int:
        """OPEN of an actor or of an address."""
        address = self.address(who) if who in self.signers else to_checksum_address(who)
        return int(self.token.functions.balanceOf(address).call())

    def wealth(self, who: str) -> int:
        """The same, and the bounties it has not collected."""
        address = self.address(who) if who in self.signers else to_checksum_address(who)
        return self.balance(who) + int(self.staking.functions.bountyOf(address).call())

    def supply(self) -> int:
        """OPEN in wei that is neither burnt nor waits to be."""
        return int(self.token.functions.totalSupply().call() - self.staking.functions.unburnt().call())

    def fund(self, actor: str, amount: int, spender: Contract) -> None:
        """Gives an actor OPEN and lets `spender` take as much."""
        if actor != "deployer":
            self.send(self.token.functions.transfer(self.address(actor), amount), "deployer")
        self.send(self.token.functions.approve(spender.address, 2**256 - 1), actor)

    def stake(self, node: str, amount: int = 1_000 * OPEN, staker: str | None = None) -> None:
        staker = staker or node
        self.fund(staker, amount, self.staking)
        self.send(self.staking.functions.stake(self.address(node), amount), staker)

    def authorize(self, node: str, signer: str) -> None:
        """Makes `signer` sign for `node`, with its consent."""
        deadline = self.now + 1_000
        digest = authorization_digest(self.plain(node), self.plain(signer), deadline, self.staking_domain)
        proof = self.signers[signer].sign_digest(digest)
        self.send(self.staking.functions.authorizeSigner(self.address(signer), deadline, proof), node)

    @property
    def chain_id(self) -> int:
        return int(self.record["chainId"])

    @property
    def receipts_domain(self) -> Domain:
        return receipts_domain(self.chain_id, Address(self.record["contracts"]["EpochSettlement"]))

    @property
    def channels_domain(self) -> Domain:
        return channels_domain(self.chain_id, Address(self.record["contracts"]["PaymentChannels"]))

    @property
    def staking_domain(self) -> Domain:
        return staking_domain(self.chain_id, Address(self.record["contracts"]["NodeStaking"]))

    def _set_next(self, time: int) -> None:
        assert time > self.now, f"block time {time} is not after {self.now}"
        self.chain.set_next(time)

    def _raise_reason(self, call: ContractFunction, source: dict[str, Any]) -> None:
        # A reverted transaction changed nothing, so the head gives it the same state and the same time again.
        try:
            call.call({"from": source["from"]})
        except REFUSALS as error:
            raise _decoded(error) from None
        raise AssertionError(f"{call.fn_name} reverted in its transaction and not in a call; out of gas?")

    def _name_of(self, address: str) -> str:
        known = {at: name for name, at in self.record["contracts"].items()}
        return known.get(address.lower(), address)


def _decoded(error: Exception) -> Reverted:
    if isinstance(error, ContractLogicError):
        data = error.data if isinstance(error.data, str) else ""
        found = decode_revert(bytes.fromhex(data.removeprefix("0x")), packaged_shapes())
        return Reverted(found.name, tuple(found.values))
    text = str(error.args[0]).removeprefix("execution reverted: ")
    if not text.startswith("b'") and not text.startswith('b"'):
        return Reverted(text, ())
    found = decode_revert(ast.literal_eval(text), packaged_shapes())
    return Reverted(found.name, tuple(found.values))


@contextmanager
def refusing() -> Iterator[None]:
    """What a chain refuses in the block is raised as Reverted."""
    try:
        yield
    except REFUSALS as error:
        raise _decoded(error) from None


@contextmanager
def reverts(name: str, *values: Any) -> Iterator[None]:
    """The block reverts with this error; with `values` given, also with exactly these values."""
    found: Reverted | None = None
    try:
        yield
    except Reverted as error:
        found = error
    assert found is not None, f"nothing reverted, expected {name}"
    assert found.name == name, f"reverted with {found.name}{found.values}, not {name}"
    if values:
        assert _plain(found.values) == _plain(values)


def _plain(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.lower() if isinstance(value, str) else value for value in values)


def attempt(action: Callable[[], Mined]) -> tuple[Mined | None, str]:
    """What the action mined, or the name of the error it reverted with."""
    try:
        return action(), ""
    except Reverted as refused:
        return None, refused.name


@contextmanager
def rewound(world: World) -> Iterator[World]:
    """What the block does to the chain is undone afterwards: hypothesis runs many examples in one test."""
    mark = world.chain.snapshot()
    try:
        yield world
    finally:
        world.chain.revert(mark)
