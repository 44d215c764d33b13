"""The people of the demo: a key each, in encrypted key files, and what OPEN and ETH each starts with.

The keys are made anew for each demo and hold nothing of value: their chain is the demo's own.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from web3 import Web3

from node.chain.keystore import LIGHT_SCRYPT, Keystore
from node.chain.signer import Signer
from node.cli.access import KeyRing
from node.config import Config
from protocol.types import Address

OPEN = 10**18
ETHER_EACH = 10 * 10**18


@dataclass(frozen=True)
class Role:
    """What somebody does in the demo, and the OPEN (whole tokens) they start with."""

    what: str
    open: int = 0


ROLES: Mapping[str, Role] = {
    "alice": Role("specialist in diabetes codes", 10),
    "bob": Role("specialist in codes of stroke sequelae, whose rows are gated", 10),
    "carol": Role("copies Alice's rows with small edits", 10),
    "dave": Role("sends noise", 10),
    "erin": Role("curator of the Datanet", 200),
    "frank": Role("trains and owns the model", 10),
    "olga": Role("node operator", 5_000),
    "sam": Role("stakes on Olga's node", 2_000),
    "paul": Role("pays for answers", 1_000),
    "vera": Role("large holder who votes", 60_000_000),
    "grace": Role("holder who delegates to Vera", 1_000_000),
    "receipts": Role("the node's receipt signer"),
}

# Every Ethereum tool knows this development account; on the demo's own chain it is the reader's to try.
READER = Address("0xa0ee7a142d267c1f36714e4a8f75612f20a79720")
READER_KEY = "0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6"
READER_OPEN = 10_000


@dataclass(frozen=True)
class People:
    """Signers by name."""

    signers: Mapping[str, Signer]
    password: str

    def __getitem__(self, name: str) -> Signer:
        return self.signers[name]

    def address(self, name: str) -> Address:
        return self.signers[name].address

    def names(self) -> dict[str, str]:
        """Name by address, for display."""
        return {signer.address: name for name, signer in self.signers.items()}

    def allocations(self) -> dict[str, int]:
        """OPEN in wei by address, as the deployment hands it out."""
        given = {self.address(name): role.open * OPEN for name, role in ROLES.items() if role.open}
        return {**given, READER: READER_OPEN * OPEN}


def gather(config: Config) -> People:
    """Opens the key files of the node's keystore, making what is missing; names stand beside them."""
    password = _password(config.node.password_file)
    ring, keystore = KeyRing(config), Keystore(config.keystore)
    for name in ROLES:
        if name not in ring.names():
            ring.name(name, keystore.create(password, scrypt=LIGHT_SCRYPT))
    return People({name: ring.load(name) for name in ROLES}, password)


def give_ether(web3: Web3, people: People) -> None:
    """Tops up everybody's ETH from the chain's first unlocked account."""
    rich = web3.eth.accounts[0]
    for signer in people.signers.values():
        account = web3.to_checksum_address(signer.address)
        if web3.eth.get_balance(account) < ETHER_EACH // 2:
            digest = web3.eth.send_transaction({"from": rich, "to": account, "value": ETHER_EACH})
            web3.eth.wait_for_transaction_receipt(digest, timeout=60)


def _password(path: Path | None) -> str:
    if path is None:
        raise ValueError("the demo's configuration names a password file")
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
    return path.read_text()
