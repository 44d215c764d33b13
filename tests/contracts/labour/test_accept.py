"""Signed labour: what a curator can accept, and what nobody can."""

from dataclasses import replace

import pytest

from node.chain.keccak import keccak
from node.chain.signer import Signer
from protocol.eip712 import domain_separator
from protocol.labour import LabourKind, labour_digest
from scripts.deployment_plan import Web3Deployer
from tests.contracts.datanets import (
    CID,
    CURATOR_STAKE,
    accept,
    create,
    labour_of,
    labour_record,
    labour_tuple,
    registry,
    sign_labour,
    signing_domain,
)
from tests.contracts.world import World, reverts

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


def test_what_was_signed_is_what_is_kept(world: World, datanet: int) -> None:
    """SPEC 1.77: ids count from 1; Solidity and Python sign the same digest."""
    parent = accept(world, labour_record(world, datanet, "staker"), "staker")
    record = labour_record(
        world, datanet, kind=LabourKind.EVALUATION, parents=((parent, 200_000), (parent, 300_000))
    )
    digest = labour_digest(record, signing_domain(world), keccak)
    read = labour_of(world).functions
    assert read.labourDigest(labour_tuple(record)).call() == digest
    assert accept(world, record) == 2 == read.labourOf(digest).call() == read.labourCount().call()
    assert read.getLabour(2).call() == (
        datanet,
        world.address("contributor"),
        world.now,
        LabourKind.EVALUATION,
        world.address("curator"),
        CID,
        [parent, parent],
        [200_000, 300_000],
    )
    with reverts("LabourLedgerUnknown", 3):
        world.call(read.getLabour(3))


def test_the_domain_is_the_ledgers_own(world: World) -> None:
    """SPEC 1.77: a signature is good for one ledger on one chain."""
    fields = labour_of(world).functions.eip712Domain().call()
    assert (fields[1], fields[2], fields[3]) == ("OpenLedger Labour", "1", world.chain_id)
    assert fields[4] == labour_of(world).address
    assert len(domain_separator(signing_domain(world), keccak)) == 32


@pytest.mark.parametrize(
    "change",
    [
        {"datanet": 2},
        {"account": "staker"},
        {"kind": LabourKind.RECIPE},
        {"work_cid": CID[:-1] + b"\x04"},
        {"parents": ((1, 7),)},
        {"parents": ((1, 8), (1, 0))},
        {"deadline": 2**60},
    ],
)
def test_no_field_can_be_changed_after_the_signature(world: World, datanet: int, change: dict) -> None:
    """SPEC 1.77: each field is under the signature."""
    create(world, "curator")
    accept(world, labour_record(world, datanet, "staker"), "staker")
    record = labour_record(world, datanet, parents=((1, 8),))
    signature = sign_labour(world, record, "contributor")
    if "account" in change:
        change = {"account": world.plain(change["account"])}
    if change.get("datanet") == 2:
        change = {"datanet": 2, "parents": ()}
    changed = replace(record, **change)
    call = labour_of(world).functions.accept(labour_tuple(changed), signature)
    with reverts("LabourLedgerBadSignature", World.checksum(changed.account)):
        world.send(call, "curator")
    world.send(labour_of(world).functions.accept(labour_tuple(record), signature), "curator")


def test_another_chain_ledger_or_encoding_is_another_signature(world: World, datanet: int) -> None:
    """SPEC 1.77: nothing signed for elsewhere, no 64 bytes, no high s, no empty signature."""
    record = labour_record(world, datanet)
    good, domain = sign_labour(world, record, "contributor"), signing_domain(world)
    signer: Signer = world.signers["contributor"]
    r, s, v = good[:32], int.from_bytes(good[32:64], "big"), good[64]
    high = r + (ORDER - s).to_bytes(32, "big") + bytes([55 - v])
    compact = r + (s | (v - 27) << 255).to_bytes(32, "big")
    elsewhere = (
        replace(domain, chain_id=1),
        replace(domain, contract=world.plain("stranger")),
        replace(domain, version="2"),
    )
    bad = [signer.sign_digest(labour_digest(record, one, keccak)) for one in elsewhere]
    for signature in (*bad, high, compact, b"", good + b"\0", bytes(65)):
        with reverts("LabourLedgerBadSignature", world.address("contributor")):
            world.send(labour_of(world).functions.accept(labour_tuple(record), signature), "curator")


def test_a_contract_account_signs_by_erc_1271(world: World, datanet: int) -> None:
    """SPEC 1.77: its owner's signature counts, a stranger's does not."""
    deployer = Web3Deployer(world.web3, world.address("deployer"))
    wallet = deployer.deploy("WalletMock", world.address("contributor"))
    record = replace(labour_record(world, datanet), account=wallet.lower())
    with reverts("LabourLedgerBadSignature", wallet):
        accept(world, record, "stranger")
    assert accept(world, record, "contributor") == 1


def test_nobody_signs_for_an_account_without_a_key(world: World, datanet: int) -> None:
    """SPEC 1.77: a failed recovery is not the zero account's signature."""
    record = replace(labour_record(world, datanet), account="0x" + "00" * 20)
    call = labour_of(world).functions.accept(labour_tuple(record), bytes(65))
    with reverts("LabourLedgerBadSignature"):
        world.send(call, "curator")


def test_a_signature_makes_one_record_in_time(world: World, datanet: int) -> None:
    """SPEC 1.77: each digest once, and only while now < deadline."""
    record = labour_record(world, datanet)
    number = accept(world, record)
    digest = labour_digest(record, signing_domain(world), keccak)
    with reverts("LabourLedgerAlreadyAccepted", digest, number):
        accept(world, record)
    late = labour_record(world, datanet, deadline=world.now + 50)
    call = labour_of(world).functions.accept(labour_tuple(late), sign_labour(world, late, "contributor"))
    with reverts("LabourLedgerExpired", late.deadline):
        world.send(call, "curator", at=late.deadline)


def test_a_signature_holds_to_its_last_second(world: World, datanet: int) -> None:
    """SPEC 1.77: the window is half-open."""
    record = labour_record(world, datanet)
    call = labour_of(world).functions.accept(labour_tuple(record), sign_labour(world, record, "contributor"))
    world.send(call, "curator", at=record.deadline - 1)


def test_only_staked_curators_accept(world: World, datanet: int) -> None:
    """SPEC 1.77: the Datanet's own, with minCuratorStake of their own."""
    record = labour_record(world, datanet)
    with reverts("LabourLedgerNotCurator", datanet, world.address("stranger")):
        accept(world, record, curator="stranger")
    world.send(registry(world).functions.setCurator(datanet, world.address("stranger"), True), "curator")
    with reverts("LabourLedgerStakeTooLow", world.address("stranger"), 0, CURATOR_STAKE):
        accept(world, record, curator="stranger")


def test_parents_are_few_known_and_of_the_same_datanet(world: World, datanet: int) -> None:
    """SPEC 1.77: at most 8, passed at most 500,000 ppm in all."""
    other = create(world, "curator")
    parent, foreign = accept(world, labour_record(world, datanet)), accept(world, labour_record(world, other))
    for parents, error, values in (
        (((foreign, 1),), "LabourLedgerOtherDatanet", (foreign, other, datanet)),
        (((9, 1),), "LabourLedgerUnknown", (9,)),
        (((parent, 1),) * 9, "LabourLedgerTooMany", (9, 8)),
        (((parent, 250_000), (parent, 250_001)), "LabourLedgerParentsTooHigh", (500_001, 500_000)),
    ):
        with reverts(error, *values):
            accept(world, labour_record(world, datanet, parents=parents))
    accept(world, labour_record(world, datanet, parents=((parent, 62_500),) * 8))
    uneven = (*labour_tuple(labour_record(world, datanet))[:4], [parent], [], 2**60)
    with reverts("LabourLedgerListMismatch", 1, 0):
        world.send(labour_of(world).functions.accept(uneven, b""), "curator")


def test_labour_has_a_kind_and_a_work(world: World, datanet: int) -> None:
    """SPEC 1.77"""
    record = labour_tuple(labour_record(world, datanet))
    with reverts("LabourLedgerNoKind"):
        world.send(labour_of(world).functions.accept((*record[:2], 0, *record[3:]), b""), "curator")
    with reverts("BoundedBytesEmpty"):
        world.send(labour_of(world).functions.accept((*record[:3], b"", *record[4:]), b""), "curator")
