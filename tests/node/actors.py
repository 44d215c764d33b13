"""Real contracts on the embedded chain, and nodes of named actors on it, for the tests of stages 1 to 3."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from eth_account import Account

from node.blobs.store import BlobStore
from node.chain.deployment import Deployment
from node.chain.embedded.devnet import devnet_accounts
from node.chain.rpc import Chain, connect
from node.chain.transactor import SendPolicy, Transactor
from node.datanet.contracts import DatanetContracts
from node.datanet.contributions import Contributions
from node.datanet.gated import RowVault
from node.datanet.icd10 import Icd10Cm
from node.datanet.review import Review
from node.datanet.versions import Versions
from node.store.blocks import BlockTable
from node.store.database import Database, open_database
from node.store.datanet import DatanetTable
from node.store.transactions import TransactionStore
from protocol.cid import cid_of_raw
from protocol.types import Address, parse_address
from scripts.deployment_plan import DEVNET, OPEN, deploy_with_web3

ACTORS = ("contributor", "curator", "copier", "noisemaker", "publisher", "stranger")
CODE_SYSTEMS = {"icd-10-cm": Icd10Cm()}
METADATA = cid_of_raw(b"a description of the Datanet")


@dataclass(frozen=True)
class World:
    """One chain with all contracts; its actors hold OPEN, and its curator the stake that deciding takes."""

    chain: Chain

    def transactor(self, actor: str, database: Database) -> Transactor:
        """The sender of one actor's account, which the genesis funded."""
        account = Account.from_key(devnet_accounts()[ACTORS.index(actor)].key.to_bytes())
        return Transactor(self.chain, account, TransactionStore(database), SendPolicy(poll=0.001))


@dataclass(frozen=True)
class DatanetNode:
    """Everything stage 1 needs, for one actor, with a database and an encryption key of its own."""

    database: Database
    table: DatanetTable
    blobs: BlobStore
    vault: RowVault
    contracts: DatanetContracts
    contributions: Contributions
    review: Review
    versions: Versions
    private: X25519PrivateKey

    @property
    def address(self) -> Address:
        return self.contracts.account

    @property
    def reader(self) -> bytes:
        return self.private.public_key().public_bytes_raw()


@contextmanager
def running_world() -> Iterator[World]:
    """A fresh chain in a child process, with the suite deployed from the committed artifacts."""
    command = [sys.executable, "-W", "ignore", "-m", "node.chain.embedded", "--port", "0"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert child.stdout is not None
        ready = child.stdout.readline().split()
        assert ready[:1] == ["ready"], ready
        yield World(_deployed(ready[1]))
    finally:
        child.terminate()
        child.wait(timeout=30)


def _deployed(url: str) -> Chain:
    bare = connect(url, wait_seconds=20)
    accounts = devnet_accounts()
    addresses = [Account.from_key(account.key.to_bytes()).address for account in accounts]
    settings = replace(DEVNET, allocations=dict.fromkeys(addresses[: len(ACTORS)], 10_000 * OPEN))
    record = deploy_with_web3(bare.web3, Account.from_key(accounts[9].key.to_bytes()), settings)
    contracts = {name: parse_address(address) for name, address in record["contracts"].items()}
    deployment = Deployment(bare.chain_id, record["block"], record["genesis"], contracts, {})
    chain = connect(url, deployment)
    token, staking = chain.contract("OpenToken"), chain.contract("NodeStaking")
    curator = Transactor(
        chain,
        Account.from_key(accounts[ACTORS.index("curator")].key.to_bytes()),
        TransactionStore(open_database(":memory:")),
        SendPolicy(poll=0.001),
    )
    curator.send(token.functions.approve(staking.address, 1_000 * OPEN))
    curator.send(staking.functions.stake(addresses[ACTORS.index("curator")], 1_000 * OPEN))
    return chain


def start_node(world: World, actor: str, path: Path | str = ":memory:") -> DatanetNode:
    """One actor's node."""
    database = open_database(path)
    table, blobs, private = (
        DatanetTable(database),
        BlobStore(BlockTable(database)),
        X25519PrivateKey.generate(),
    )
    vault = RowVault(table, blobs, private)
    contracts = DatanetContracts(world.chain, world.transactor(actor, database))
    return DatanetNode(
        database,
        table,
        blobs,
        vault,
        contracts,
        Contributions(table, blobs, vault, contracts),
        Review(table, blobs, vault, contracts, CODE_SYSTEMS),
        Versions(table, blobs, vault, contracts, CODE_SYSTEMS),
        private,
    )


def send_blobs(source: DatanetNode, target: DatanetNode) -> None:
    """Carry every pinned graph over, as CAR files."""
    for cid, name in source.blobs.pins().items():
        target.blobs.import_car(source.blobs.export_car(cid), name)
