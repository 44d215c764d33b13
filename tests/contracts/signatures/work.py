"""Signatures that state work: receipts, consent to sign for a node, labour on a Datanet."""

from typing import Any

from node.chain.signer import authorization_digest
from protocol.receipt import RECEIPT_TYPE, Receipt, solidity_tuple
from protocol.types import Address
from scripts.deployment_plan import OPEN
from tests.contracts.asking import ANSWER, DURATION, PROMPT, asked_by, prepare
from tests.contracts.channel import FREE_STAKE
from tests.contracts.datanets import CID, create, ensure_stake, labour_of
from tests.contracts.epochs import receipt_of
from tests.contracts.signatures.accounts import Account
from tests.contracts.signatures.money import provide
from tests.contracts.signatures.signed import OTHER, Message, Refusals, Signed, domain_of, fields_of
from tests.contracts.world import Mined, World

LABOUR = (
    ("datanetId", "uint256"),
    ("account", "address"),
    ("kind", "uint8"),
    ("workCid", "bytes"),
    ("parents", "uint256[]"),
    ("parentsPpm", "uint32[]"),
    ("deadline", "uint64"),
)
CONSENT = (("node", "address"), ("signer", "address"), ("deadline", "uint256"))


def receipt_message(receipt: Receipt) -> Message:
    names = [name for name, _ in fields_of(RECEIPT_TYPE)]
    return dict(zip(names, solidity_tuple(receipt), strict=True))


def receipt_arguments(message: Message) -> tuple[Any, ...]:
    return tuple((message | {"node": World.checksum(message["node"])}).values())


def other_receipt(message: Message) -> Message:
    """Another value for every field."""
    return {
        name: OTHER if name == "node" else bytes(31) + b"\x09" if isinstance(value, bytes) else value + 1
        for name, value in message.items()
    }


def receipt(world: World, account: Account) -> Signed:
    """By the node, put on record by anyone."""
    call = world.staking.functions.stake(account.address, OPEN)
    world.fund("staker", OPEN, world.staking)
    world.send(call, "staker")
    message = receipt_message(receipt_of(world, "node", 5)) | {"node": account.address}

    def submit(m: Message, signature: bytes) -> Mined:
        arguments = (receipt_arguments(m), signature)
        return world.send(world.settlement.functions.submitReceipt(*arguments), "stranger")

    error = "EpochSettlementNotSigner"
    return Signed(
        world,
        account,
        "Receipt",
        fields_of(RECEIPT_TYPE),
        domain_of(world, "EpochSettlement", "OpenLedger Receipts"),
        message,
        submit,
        Refusals(error, error, error, "EpochSettlementReceiptKnown"),
        other_receipt(message),
    )


GATEWAY_EARLY = {
    "requestId": "InferenceGatewayOtherRequest",
    "channelId": "InferenceGatewayOtherRequest",
    "node": "InferenceGatewayOtherNode",
    "modelId": "InferenceGatewayOtherModel",
    "seq": "InferenceGatewayNotOneShot",
    "price": "InferenceGatewayNotOneShot",
    "cumulative": "InferenceGatewayNotOneShot",
    "parametersVersion": "InferenceGatewayOtherParameters",
    "requestedAt": "InferenceGatewayOtherTime",
}


def authorize(world: World, node: Account, signer: str) -> None:
    """Makes an actor a signer of the node, whatever kind of account that is."""
    until = world.now + 1_000
    digest = authorization_digest(
        Address(node.address.lower()), world.plain(signer), until, world.staking_domain
    )
    proof = world.signers[signer].sign_digest(digest)
    node.send(world.staking.functions.authorizeSigner(world.address(signer), until, proof))


def gateway_receipt(world: World, account: Account) -> Signed:
    """By the node, answering a request; sent by another signer of the node."""
    provide(world, account, FREE_STAKE, world.staking.address)
    account.send(world.staking.functions.stake(account.address, FREE_STAKE))
    authorize(world, account, "other_staker")
    model = prepare(world)
    world.fund("staker", 100, world.gateway)
    call = world.gateway.functions.request(account.address, model, PROMPT, 100, world.now + DURATION, 0)
    asked = asked_by(world, world.send(call, "staker"), model)
    message = receipt_message(asked.receipt()) | {"node": account.address}

    def submit(m: Message, signature: bytes) -> Mined:
        arguments = (asked.id, ANSWER, receipt_arguments(m), signature)
        return world.send(world.gateway.functions.fulfil(*arguments), "other_staker")

    error = "InferenceGatewayBadSignature"
    return Signed(
        world,
        account,
        "Receipt",
        fields_of(RECEIPT_TYPE),
        domain_of(world, "EpochSettlement", "OpenLedger Receipts"),
        message,
        submit,
        Refusals(error, error, error, "InferenceGatewayNotPending"),
        other_receipt(message),
        GATEWAY_EARLY,
    )


def signer_proof(world: World, account: Account) -> Signed:
    """By a future signer of `node`, submitted by the node."""

    def submit(m: Message, signature: bytes) -> Mined:
        call = world.staking.functions.authorizeSigner(m["signer"], m["deadline"], signature)
        return world.send(call, "node" if m["node"] == world.address("node") else "other_node")

    error = "NodeStakingBadSignerProof"
    return Signed(
        world,
        account,
        "SignerAuthorization",
        CONSENT,
        domain_of(world, "NodeStaking", "OpenLedger Staking"),
        {"node": world.address("node"), "signer": account.address, "deadline": world.now + 1_000},
        submit,
        Refusals(error, error, error, ""),
        {"node": world.address("other_node"), "signer": OTHER, "deadline": world.now + 2_000},
    )


def labour(world: World, account: Account) -> Signed:
    """By whoever did a piece of work, accepted by the curator."""
    datanet, other = create(world, "curator"), create(world, "curator")
    ensure_stake(world, "curator")
    values = (datanet, account.address, 1, CID, [], [], world.now + 1_000)

    def submit(m: Message, signature: bytes) -> Mined:
        return world.send(labour_of(world).functions.accept(tuple(m.values()), signature), "curator")

    error = "LabourLedgerBadSignature"
    return Signed(
        world,
        account,
        "Labour",
        LABOUR,
        domain_of(world, "LabourLedger", "OpenLedger Labour"),
        dict(zip([field for field, _ in LABOUR], values, strict=True)),
        submit,
        Refusals(error, error, error, "LabourLedgerAlreadyAccepted"),
        {
            "datanetId": other,
            "account": OTHER,
            "kind": 2,
            "workCid": CID[:-1] + b"\x77",
            "deadline": world.now + 2_000,
        },
    )
