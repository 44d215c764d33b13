"""One signed message and what the chain makes of it; signed by a wallet library that is not ours."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account as Wallet
from eth_account.messages import encode_typed_data

from tests.contracts.signatures.accounts import Account
from tests.contracts.world import Mined, World

OTHER = "0x" + "11" * 20  # an address that nobody in these tests has
Message = dict[str, Any]
Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Refusals:
    """Error names: not by the account expected; no signature at all; the upper half of s; used already."""

    wrong: str
    malformed: str
    high_s: str
    replayed: str


@dataclass(frozen=True)
class Signed:
    """A message that `account` is to sign and `submit` takes to its contract.

    `others` holds another value for every field that is submitted; `early` the refusals that come before the
    signature is looked at. `as_words` is whether the contract takes (v, r, s) and not bytes.
    """

    world: World
    account: Account
    kind: str
    fields: Fields
    domain: dict[str, Any]
    message: Message
    submit: Callable[[Message, bytes], Mined]
    refusals: Refusals
    others: Message
    early: dict[str, str] = field(default_factory=dict)
    as_words: bool = False

    def sign(self, message: Message | None = None, key: bytes | None = None, **domain: Any) -> bytes:
        """65 bytes over the message (or another), by the account's key (or another)."""
        types = {self.kind: [{"name": name, "type": kind} for name, kind in self.fields]}
        signable = encode_typed_data({**self.domain, **domain}, types, message or self.message)
        return bytes(Wallet.sign_message(signable, key or self.account.key).signature)


def fields_of(type_string: str) -> tuple[tuple[str, str], ...]:
    """("name", "type") in order, read from an EIP-712 type string."""
    inside = type_string.partition("(")[2].rstrip(")")
    return tuple((part.split()[1], part.split()[0]) for part in inside.split(","))


def domain_of(world: World, contract: str, name: str) -> dict[str, Any]:
    """The EIP-712 domain of one of the suite's contracts."""
    return {
        "name": name,
        "version": "1",
        "chainId": world.chain_id,
        "verifyingContract": world.contract(contract).address,
    }


def words(signature: bytes) -> tuple[int, bytes, bytes]:
    """(v, r, s)."""
    return signature[64], signature[:32], signature[32:64]
