"""Stage 1 of the demo: four contributors send rows, a curator decides, and a version goes on chain."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from node.blobs.encryption_key import create_encryption_key, load_encryption_key
from node.blobs.ipfs import IpfsDaemon
from node.blobs.store import BlobStore
from node.datanet.contracts import DatanetContracts
from node.datanet.contributions import Contributions
from node.datanet.curation import Verdict
from node.datanet.gated import RowVault
from node.datanet.icd10 import NAME, Icd10Cm
from node.datanet.review import Review
from node.datanet.versions import Versions
from node.errors import NotFound
from node.store.blocks import BlockTable
from node.store.database import open_database
from node.store.datanet import DatanetTable
from protocol.cid import parse_cid
from protocol.hashing import from_hex
from protocol.manifest import Row, decode_manifest
from scripts.demo_stages.material import contributions
from scripts.demo_stages.people import OPEN
from scripts.demo_stages.world import World

LICENCE = "CC-BY-4.0"
CODE_SYSTEMS = {NAME: Icd10Cm()}
CURATOR_STAKE = 100 * OPEN


def run(world: World) -> dict[str, Any]:
    """Contributions, decisions and the first version; returns what the table shows."""
    contracts = DatanetContracts(world.chain, world.transactor("erin"))
    datanet = _create(world, contracts)
    _stake(world)
    sent = {name: _send(world, datanet, name, rows) for name, rows in contributions(world.size).items()}
    reasons = _review(world, contracts, sent)
    published = _publish(world, contracts, datanet)
    rows = published.manifest.rows
    return {
        "datanet": datanet,
        "version": published.manifest.version,
        "manifest_cid": published.cid.text,
        "root": "0x" + published.root.hex(),
        "rows": len(rows),
        "clusters": len({row.cluster for row in rows}),
        "gated_rows": sum(row.gated for row in rows),
        "by_owner": Counter(world.name_of(row.owner) for row in rows),
        "decisions": reasons,
    }


def _create(world: World, contracts: DatanetContracts) -> int:
    if contracts.datanet_count() == 0:
        metadata = world.core.blobs.put(
            b'{"name":"ICD-10-CM coding","source":"simple-icd-10-cm"}', "metadata"
        )
        datanet = contracts.create("icd-10-cm-coding", NAME, False, LICENCE, metadata)
        world.console.say(f"   Erin opens Datanet {datanet}: ICD-10-CM coding, {LICENCE}")
    return 1


def _stake(world: World) -> None:
    """Deciding takes a stake of one's own: an overturned decision costs some of it."""
    staking, token = world.chain.contract("NodeStaking"), world.chain.contract("OpenToken")
    erin = world.chain.web3.to_checksum_address(world.people.address("erin"))
    if world.chain.call(staking.functions.ownStake(erin)) >= CURATOR_STAKE:
        return
    transactor = world.transactor("erin")
    transactor.send(token.functions.approve(staking.address, CURATOR_STAKE))
    transactor.send(staking.functions.stake(erin, CURATOR_STAKE))
    world.console.say(f"   Erin stakes {CURATOR_STAKE // OPEN} OPEN on herself, so that she may decide")


def return_bonds(world: World) -> dict[str, Any]:
    """Nobody appealed: each contributor closes their contribution, and its bond comes back."""
    returned: dict[str, Any] = {}
    for name in contributions(world.size):
        contracts = DatanetContracts(world.chain, world.transactor(name))
        returned[name] = world.contributions(contracts).settle_ripe()
    world.console.say(f"   bonds back to {', '.join(name.capitalize() for name in returned)}")
    return returned


def _send(world: World, datanet: int, name: str, rows: Sequence[Row]) -> int:
    """One contributor's batch, once; Bob's rows leave his own machine only encrypted."""
    contracts = DatanetContracts(world.chain, world.transactor(name))
    account = contracts.account
    for number in range(1, contracts.contribution_count() + 1):
        if contracts.contribution(number).contributor == account:
            if name == "bob":
                _hand_over(world, datanet, number)
            return number
    if name == "bob":
        number = _bobs(world, contracts).submit(datanet, rows, LICENCE, gated=True)
        _hand_over(world, datanet, number)
    else:
        number = world.contributions(contracts).submit(datanet, rows, LICENCE)
    gated = " (gated: encrypted before they get a CID)" if name == "bob" else ""
    world.console.say(f"   {name.capitalize()} sends {len(rows)} rows{gated}: contribution {number}")
    return number


def _bobs(world: World, contracts: DatanetContracts) -> Contributions:
    table, blobs, vault = _bobs_store(world)
    return Contributions(table, blobs, vault, contracts)


def _bobs_store(world: World) -> tuple[DatanetTable, BlobStore, RowVault]:
    """Bob's own machine: his database, his blocks, his key."""
    home = world.state / "bob"
    home.mkdir(exist_ok=True)
    key_file = home / "encryption.key"
    password = world.people.password
    if key_file.exists():
        private = load_encryption_key(key_file, password)
    else:
        private = create_encryption_key(key_file, password)
    database = world.opened("bob", lambda: open_database(home / "bob.sqlite"))
    table, blobs = DatanetTable(database), BlobStore(BlockTable(database))
    return table, blobs, RowVault(table, blobs, private)


def _hand_over(world: World, datanet: int, contribution: int) -> None:
    """Bob's bytes go to the node as CAR files, and the node's key alone is granted the rows."""
    table, blobs, vault = _bobs_store(world)
    contracts = DatanetContracts(world.chain, world.transactor("bob"))
    try:
        world.table.contribution(contribution)
    except NotFound:
        rows = table.rows_of(contribution)
        for cid in (contracts.contribution(contribution).batch, *(parse_cid(row.cid) for row in rows)):
            world.core.blobs.import_car(blobs.export_car(cid), "from bob", cid)
        world.contributions(contracts).adopt(contribution)
        digests = [from_hex(row.digest, 32) if isinstance(row.digest, str) else row.digest for row in rows]
        granted = world.vault.accept_grants(vault.grant(datanet, digests, world.reader))
        world.console.say(f"   Bob grants {granted} rows to the node that trains; nobody else can open them")


def _review(world: World, contracts: DatanetContracts, sent: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Erin decides in the order of arrival; what was decided already is only counted."""
    review = Review(world.table, world.core.blobs, world.vault, contracts, CODE_SYSTEMS)
    counted: dict[str, dict[str, int]] = {}
    for name, contribution in sorted(sent.items(), key=lambda item: item[1]):
        if world.table.contribution(contribution).curator is None and not review.adopt_decision(contribution):
            review.decide(contribution)
        rows = world.table.rows_of(contribution)
        counted[name] = dict(Counter(str(row.verdict) for row in rows))
        kept = sum(row.verdict != Verdict.REJECTED for row in rows)
        world.console.say(f"   Erin on {name.capitalize()}: {kept} of {len(rows)} stand  {counted[name]}")
    return counted


def _publish(world: World, contracts: DatanetContracts, datanet: int) -> Any:
    versions = Versions(world.table, world.core.blobs, world.vault, contracts, CODE_SYSTEMS)
    if contracts.datanet(datanet).versions == 0:
        return versions.publish(datanet)
    return versions.load(datanet, 1)


def mirror(world: World) -> dict[str, Any]:
    """With a Kubo daemon: the version's manifest and rows there too, under the same CIDs."""
    if not world.ipfs:
        return {"daemon": None}
    daemon = IpfsDaemon(world.ipfs)
    cid = parse_cid(world.journal["datanet"]["manifest_cid"])
    manifest = decode_manifest(world.core.blobs.get(cid))
    roots = [cid, *sorted({parse_cid(row.cid) for row in manifest.rows}, key=lambda one: one.text)]
    for done, root in enumerate(roots, 1):
        daemon.send(world.core.blobs, root)
        if done % 25 == 0 or done == len(roots):
            world.console.progress(done, len(roots), "objects in the IPFS daemon under the same CIDs")
    return {"daemon": daemon.version(), "objects": len(roots)}
