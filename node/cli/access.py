"""How commands reach the chain, the keystore and the node's records. Commands import it when they run."""

import json
from dataclasses import dataclass
from typing import Any

from eth_account import Account
from web3.contract import Contract

from node.chain.deployment import load_deployment
from node.chain.keystore import Keystore
from node.chain.rpc import Chain, connect
from node.chain.signer import Signer
from node.chain.transactor import Transactor
from node.cli.session import read_password
from node.config import Config
from node.errors import NotFound
from node.store.database import open_database
from node.store.transactions import TransactionStore
from protocol.types import parse_address

NAMES = "names.json"


@dataclass(frozen=True)
class KeyRing:
    """The keystore with names for its accounts; the names are no secret and stand beside the key files."""

    config: Config

    def names(self) -> dict[str, str]:
        """Account by name."""
        path = self.config.keystore / NAMES
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def name(self, name: str, account: str) -> None:
        """Gives an account a name."""
        path = self.config.keystore / NAMES
        aside = path.with_suffix(".new")
        aside.write_text(json.dumps({**self.names(), name: account}, indent=2) + "\n", encoding="utf-8")
        aside.replace(path)

    def address(self, name: str) -> str:
        """The account of a name, or an address that is itself a key's. Raises NotFound."""
        if name.lower() in self.accounts():
            return name.lower()
        if name not in self.names():
            raise NotFound("no key of this name; make one with `openledger keys create`", name=name)
        return self.names()[name]

    def accounts(self) -> tuple[str, ...]:
        """Every account with a key file."""
        return tuple(Keystore(self.config.keystore).accounts())

    def load(self, name: str) -> Signer:
        """Opens a key with the configured password file, or asks."""
        address = self.address(name)
        return Keystore(self.config.keystore).load(
            address, read_password(self.config.node.password_file, False)
        )


def open_chain(config: Config) -> Chain:
    """The configured chain and deployment. Raises ChainUnreachable, WrongChain or ConfigError."""
    return connect(config.chain.rpc_url, load_deployment(config.path(config.chain.deployment)))


def sender(config: Config, chain: Chain, key: str) -> Transactor:
    """A sender of transactions from a key of the keystore, with a record of its own beside the node's."""
    # A running node holds its own record; two writers of one nonce sequence in one table would undo each
    # other.
    database = open_database(config.path(config.node.data_dir / "commands.sqlite"))
    account = Account.from_key(KeyRing(config).load(key).private_key())
    return Transactor(chain, account, TransactionStore(database))


def spectator(chain: Chain) -> Transactor:
    """A sender with an account of nobody and no funds, for reading through classes that can also send."""
    return Transactor(chain, Account.create(), TransactionStore(open_database(":memory:")))


def checksummed(chain: Chain, address: str) -> Any:
    """The spelling that web3 takes."""
    return chain.web3.to_checksum_address(address)


def record_of(contract: Contract, function: str, *arguments: object) -> dict[str, object]:
    """A view's result by the names of its ABI, bytes as hex, addresses in lower case."""
    values = contract.get_function_by_name(function)(*arguments).call()
    outputs = contract.get_function_by_name(function).abi["outputs"]
    if len(outputs) == 1:
        return _named(outputs[0], values) if outputs[0]["type"] == "tuple" else {function: _plain(values)}
    return {output["name"]: _value(output, value) for output, value in zip(outputs, values, strict=True)}


def _named(output: Any, values: Any) -> dict[str, object]:
    parts = output["components"]
    listed = values.values() if isinstance(values, dict) else values
    return {part["name"]: _value(part, value) for part, value in zip(parts, listed, strict=True)}


def _value(output: Any, value: Any) -> object:
    return _named(output, value) if output["type"] == "tuple" else _plain(value)


def _plain(value: Any) -> object:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, str) and value.startswith("0x") and len(value) == 42:
        return str(parse_address(value.lower()))
    return value
