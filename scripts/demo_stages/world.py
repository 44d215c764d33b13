"""What the demo's stages share: the running node, its chain, the people and what was recorded so far."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account import Account
from web3 import Web3

from node.chain.rpc import Chain
from node.chain.transactor import Transactor
from node.daemon import Core
from node.datanet.contracts import DatanetContracts
from node.datanet.contributions import Contributions
from node.datanet.gated import RowVault
from node.store.database import Database
from node.store.datanet import DatanetTable
from node.store.transactions import TransactionStore
from scripts.demo_stages.console import Console
from scripts.demo_stages.journal import Journal
from scripts.demo_stages.material import Size
from scripts.demo_stages.people import People


@dataclass
class World:
    """One demo. `reader` is the node's X25519 public key, `api` the URL of its site, `url` the chain's."""

    state: Path
    size: Size
    console: Console
    journal: Journal
    people: People
    core: Core
    vault: RowVault
    reader: bytes
    api: str
    url: str
    run: int
    ipfs: str = ""
    _databases: dict[str, Database] = field(default_factory=dict)
    _transactors: dict[str, Transactor] = field(default_factory=dict)

    @property
    def chain(self) -> Chain:
        return self.core.chain

    @property
    def table(self) -> DatanetTable:
        """The node's Datanet tables."""
        return DatanetTable(self.core.database)

    def name_of(self, address: str) -> str:
        """A person's name, or the address of anybody else."""
        return self.people.names().get(address, address)

    def transactor(self, name: str) -> Transactor:
        """The one sender of a person's transactions; the operator's is the node's own."""
        if name == "olga":
            return self.core.transactor
        if name not in self._transactors:
            account = Account.from_key(self.people[name].private_key())
            transactor = Transactor(self.chain, account, TransactionStore(self.core.database))
            transactor.resume()
            self._transactors[name] = transactor
        return self._transactors[name]

    def contributions(self, contracts: DatanetContracts) -> Contributions:
        """Contributions kept at the node, sent by whoever `contracts` sends for."""
        return Contributions(self.table, self.core.blobs, self.vault, contracts)

    def opened(self, name: str, opener: Callable[[], Database]) -> Database:
        """A database of somebody else's machine, opened once."""
        if name not in self._databases:
            self._databases[name] = opener()
        return self._databases[name]

    def close(self) -> None:
        """Closes what the stages opened; the node itself is the caller's."""
        for database in self._databases.values():
            database.close()

    async def once(self, stage: str, work: Callable[[], Awaitable[Any]], every_run: bool = False) -> Any:
        """The stage's result: recorded already, or made now; `every_run` stages are made anew in each run."""
        return await self.journal.once(self.key(stage, every_run), work)

    def key(self, stage: str, every_run: bool) -> str:
        """The journal's name for a stage's result."""
        return f"{self.run}/{stage}" if every_run else stage


def checksummed(value: Any) -> Any:
    """An address as web3 takes it; anything else as it is."""
    return Web3.to_checksum_address(value) if isinstance(value, str) and len(value) == 42 else value
