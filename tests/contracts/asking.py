"""Requests at the inference gateway as a test uses them: asked by an actor or a contract."""

from dataclasses import dataclass, replace
from typing import Any

from eth_utils.address import to_checksum_address
from web3.contract import Contract

from node.chain.deployment import load_artifact
from node.chain.keccak import keccak
from protocol.receipt import Receipt, request_id
from scripts.deployment_plan import OPEN, Web3Deployer
from tests.contracts.channel import FREE_STAKE
from tests.contracts.epochs import receipt_of, solidity_receipt
from tests.contracts.models.test_model_registry import register_base, register_model
from tests.contracts.world import Mined, World

PROMPT = b"\x01\x55\x12\x20" + b"\x07" * 32
ANSWER = b"\x01\x55\x12\x20" + b"\x08" * 32
DURATION = 90
CALLBACK_GAS = 200_000


@dataclass(frozen=True)
class Asked:
    """One pending request for the model `model`, and how its node answers."""

    world: World
    id: bytes
    model: int
    requested_at: int
    deadline: int

    def receipt(self, price: int = 30, **changed: Any) -> Receipt:
        """The receipt that answers this request for `price` wei, with fields changed as told."""
        right = replace(
            receipt_of(self.world, "node", price),
            request_id=request_id(self.id, "", keccak),
            channel_id=self.id,
            seq=1,
            model_id=self.model,
            parameters_version=self.world.parameters.functions.version().call(),
            cumulative=price,
            requested_at=self.requested_at,
            issued_at=self.requested_at + 1,
        )
        return replace(right, **changed)

    def answer(self, receipt: Receipt, signer: str = "node", cid: bytes = ANSWER) -> Any:
        """The call that fulfils with this receipt, signed by `signer`."""
        signature = self.world.signers[signer].sign_receipt(receipt, self.world.receipts_domain)
        return self.world.gateway.functions.fulfil(self.id, cid, solidity_receipt(receipt), signature)

    def fulfil(self, price: int = 30, sender: str = "node", at: int | None = None, **changed: Any) -> Mined:
        return self.world.send(self.answer(self.receipt(price, **changed)), sender, at)

    def refund(self, sender: str = "stranger", at: int | None = None) -> Mined:
        return self.world.send(self.world.gateway.functions.refund(self.id), sender, at)

    @property
    def status(self) -> str:
        found = self.world.gateway.functions.getRequest(self.id).call()
        return ("none", "pending", "fulfilled", "refunded")[found[-1]]


def prepare(world: World) -> int:
    """A node that can lock stake for fees, and a model; returns the model's id."""
    if not world.staking.functions.ownStake(world.address("node")).call():
        world.stake("node", FREE_STAKE)
    if world.contract("ModelRegistry").functions.modelCount().call():
        return 1
    return register_model(world, register_base(world))


def asked_by(world: World, mined: Mined, model: int) -> Asked:
    """The request that a transaction made."""
    (event,) = world.events(mined, world.gateway, "InferenceRequested")
    return Asked(world, event["id"], model, mined.time, event["deadline"])


def ask(world: World, max_price: int = 100, callback_gas: int = 0, payer: str = "payer") -> Asked:
    """A request by an actor with its own OPEN."""
    model = prepare(world)
    world.fund(payer, max_price, world.gateway)
    deadline = world.now + DURATION
    call = world.gateway.functions.request(
        world.address("node"), model, PROMPT, max_price, deadline, callback_gas
    )
    return asked_by(world, world.send(call, payer), model)


def deploy(world: World, name: str, *arguments: Any) -> Contract:
    """A contract that is no part of the suite."""
    at = Web3Deployer(world.web3, world.address("deployer")).deploy(name, *arguments)
    return world.web3.eth.contract(address=to_checksum_address(at), abi=load_artifact(name).abi)


def consumer(world: World, mode: int = 0, following: bytes = b"") -> Contract:
    """A ConsumerMock with a purse, which behaves as `mode` says when it is called back."""
    made = deploy(world, "ConsumerMock", world.gateway.address, world.token.address)
    world.send(world.token.functions.transfer(made.address, 10 * OPEN), "deployer")
    world.send(made.functions.setMode(mode, following), "stranger")
    return made


def ask_through(
    world: World, asker: Contract, max_price: int = 100, callback_gas: int = CALLBACK_GAS
) -> Asked:
    """A request by a ConsumerMock."""
    model = prepare(world)
    deadline = world.now + DURATION
    call = asker.functions.ask(world.address("node"), model, PROMPT, max_price, deadline, callback_gas)
    return asked_by(world, world.send(call, "stranger"), model)
