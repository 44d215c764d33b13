"""Datanets, offers and decisions as the contract tests make them, with proofs by the Python twins."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from web3.contract import Contract

from node.chain.keccak import keccak
from protocol import merkle
from protocol.contribution import batch_root, prove_batch_row
from protocol.eip712 import Domain, labour_domain
from protocol.labour import LabourKind, LabourRecord, labour_digest
from protocol.types import Address
from scripts.deployment_plan import OPEN, Web3Deployer, parameters
from tests.contracts.governance.test_parameters import deploy_own
from tests.contracts.world import Mined, World

CID = b"\x01\x55\x12\x20" + b"\x03" * 32
ROOT = b"\x0a" * 32
ROWS_ROOT = b"\x0c" * 32
ICD = b"icd10cm".ljust(32, b"\0")
NONE, SUBMITTED, DECIDED, APPEALED, SETTLED, WITHDRAWN = range(6)
CURATOR_STAKE = 100 * OPEN
DIGESTS = tuple(keccak(b"row %d" % place) for place in range(3))


def registry(world: World) -> Contract:
    return world.contract("DatanetRegistry")


def ledger_of(world: World) -> Contract:
    return world.contract("ContributionLedger")


def labour_of(world: World) -> Contract:
    return world.contract("LabourLedger")


def create(
    world: World, owner: str, name: str = "icd-10-cm", licence: str = "CC0-1.0", cid: bytes = CID
) -> int:
    call = registry(world).functions.createDatanet(name, ICD, False, licence, cid)
    (event,) = world.events(world.send(call, owner), registry(world), "DatanetCreated")
    return int(event["id"])


def publish(
    world: World,
    datanet: int,
    curator: str,
    parent: int = 0,
    root: bytes = ROOT,
    rows: int = 4,
    rows_root: bytes | None = None,
) -> int:
    """A version; its rowsRoot is zero exactly where its content root is, unless given."""
    if rows_root is None:
        rows_root = ROWS_ROOT if root != bytes(32) else bytes(32)
    call = registry(world).functions.publishVersion(datanet, parent, root, rows_root, rows, CID)
    (event,) = world.events(world.send(call, curator), registry(world), "VersionPublished")
    return int(event["version"])


def appoint(world: World, datanet: int, owner: str, *curators: str) -> None:
    """Makes accounts curators, with the stake that deciding takes."""
    for curator in curators:
        world.send(registry(world).functions.setCurator(datanet, world.address(curator), True), owner)
        ensure_stake(world, curator)


def ensure_stake(world: World, curator: str) -> None:
    if world.staking.functions.ownStake(world.address(curator)).call() < CURATOR_STAKE:
        world.stake(curator, CURATOR_STAKE)


def bond_of(world: World) -> int:
    return parameter(world, "contributionBond")


def parameter(world: World, name: str) -> int:
    return int(world.contract("ProtocolParameters").functions.value(keccak(name.encode())).call())


def tune(world: World, name: str, value: int) -> None:
    """Sets a parameter, in a world whose parameters are the deployer's (fixture `tuned`)."""
    call = world.contract("ProtocolParameters").functions.setValue(keccak(name.encode()), value)
    world.send(call, "deployer")


def deploy_tunable(world: World) -> dict[str, str]:
    """A ledger of its own upon parameters that the deployer may set; it is no slasher."""
    deployer = Web3Deployer(world.web3, world.address("deployer"))
    at = {name: world.checksum(address) for name, address in world.record["contracts"].items()}
    roomy = replace(world.settings, unbonding_period=10_000)  # no window set here comes near it
    tunable = deploy_own(world, parameters(world.address("stranger"), roomy))
    ledger = deployer.deploy(
        "ContributionLedger",
        at["OpenToken"],
        at["DatanetRegistry"],
        at["NodeStaking"],
        tunable,
        at["Guardian"],
    )
    return {"ProtocolParameters": tunable.lower(), "ContributionLedger": ledger.lower()}


def submit(
    world: World,
    datanet: int,
    sender: str,
    digests: Sequence[bytes] = DIGESTS,
    rows: int | None = None,
    root: bytes | None = None,
    gated: bool = False,
) -> int:
    """Offers these rows, the bond given and approved before."""
    root = batch_root(world.plain(sender), digests, keccak) if root is None else root
    rows = len(digests) if rows is None else rows
    world.fund(sender, bond_of(world), ledger_of(world))
    call = ledger_of(world).functions.submit(datanet, root, rows, CID, gated)
    (event,) = world.events(world.send(call, sender), ledger_of(world), "ContributionSubmitted")
    return int(event["id"])


def decide(world: World, contribution: int, accepted: int, rejected: int, sender: str = "curator") -> Mined:
    return world.send(ledger_of(world).functions.decide(contribution, accepted, rejected, CID), sender)


def spam(world: World, contribution: int, sender: str = "curator") -> Mined:
    return world.send(ledger_of(world).functions.decideSpam(contribution, CID), sender)


def appeal(world: World, contribution: int, sender: str = "contributor", at: int | None = None) -> Mined:
    world.fund(sender, bond_of(world), ledger_of(world))
    return world.send(ledger_of(world).functions.appeal(contribution, CID), sender, at)


def contribution_of(world: World, number: int) -> dict[str, Any]:
    """getContribution by field names."""
    call = ledger_of(world).functions.getContribution(number)
    names = [part["name"] for part in call.abi["outputs"][0]["components"]]
    return dict(zip(names, call.call(), strict=True))


def membership(
    world: World, contribution: int, contributor: str, digest: bytes, digests: Sequence[bytes] = DIGESTS
) -> tuple[int, tuple[int, int, list[bytes]]]:
    """IContributionLedger.Membership of a row in a batch."""
    proof = prove_batch_row(world.plain(contributor), digests, digests.index(digest), keccak)
    return contribution, proof_tuple(proof)


def proof_tuple(proof: merkle.Proof) -> tuple[int, int, list[bytes]]:
    """OpenMerkle.Proof."""
    return proof.index, proof.count, list(proof.path)


def revoke(world: World, contribution: int, sender: str, digest: bytes = DIGESTS[1]) -> Mined:
    row = membership(world, contribution, sender, digest)
    return world.send(ledger_of(world).functions.revoke(digest, row), sender)


def signing_domain(world: World) -> Domain:
    return labour_domain(world.chain_id, Address(world.record["contracts"]["LabourLedger"]))


def labour_record(world: World, datanet: int, account: str = "contributor", **changed: Any) -> LabourRecord:
    fields: dict[str, Any] = {
        "datanet": datanet,
        "account": world.plain(account),
        "kind": LabourKind.CLEANING,
        "work_cid": CID,
        "parents": (),
        "deadline": world.now + 1_000,
    }
    assert set(changed) <= set(fields)
    return LabourRecord(**(fields | changed))


def labour_tuple(record: LabourRecord) -> tuple[Any, ...]:
    """LabourHash.Labour."""
    return (
        record.datanet,
        World.checksum(record.account),
        int(record.kind),
        record.work_cid,
        [parent for parent, _ in record.parents],
        [ppm for _, ppm in record.parents],
        record.deadline,
    )


def sign_labour(world: World, record: LabourRecord, signer: str) -> bytes:
    return world.signers[signer].sign_digest(labour_digest(record, signing_domain(world), keccak))


def accept(world: World, record: LabourRecord, signer: str = "contributor", curator: str = "curator") -> int:
    call = labour_of(world).functions.accept(labour_tuple(record), sign_labour(world, record, signer))
    (event,) = world.events(world.send(call, curator), labour_of(world), "LabourAccepted")
    return int(event["id"])
