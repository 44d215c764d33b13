"""ERC-3009 authorizations, signed by a wallet library that is not ours."""

from dataclasses import dataclass, replace
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data

from tests.contracts.world import World, key_of

MOVE = (
    ("from", "address"),
    ("to", "address"),
    ("value", "uint256"),
    ("validAfter", "uint256"),
    ("validBefore", "uint256"),
    ("nonce", "bytes32"),
)
CANCEL = (("authorizer", "address"), ("nonce", "bytes32"))
FOREVER = 2**256 - 1


@dataclass(frozen=True)
class Authorization:
    """`kind` is the EIP-712 type: TransferWithAuthorization or ReceiveWithAuthorization."""

    world: World
    kind: str
    source: str
    to: str
    value: int
    nonce: bytes
    valid_after: int = 0
    valid_before: int = FOREVER

    def changed(self, **fields: Any) -> "Authorization":
        return replace(self, **fields)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What the token's functions take before the signature."""
        return (self.source, self.to, self.value, self.valid_after, self.valid_before, self.nonce)

    def sign(self, signer: str, **domain: Any) -> bytes:
        """65 bytes by an actor; `domain` changes fields of the token's EIP-712 domain."""
        names = [name for name, _ in MOVE]
        message = dict(zip(names, self.arguments, strict=True))
        return typed_signature(self.world, signer, self.kind, MOVE, message, **domain)


def typed_signature(
    world: World,
    signer: str,
    kind: str,
    fields: tuple[tuple[str, str], ...],
    message: dict[str, Any],
    **domain: Any,
) -> bytes:
    """An actor's signature of any message in the token's domain."""
    of_token = {"name": "OpenLedger", "version": "1"}
    place = {"chainId": world.chain_id, "verifyingContract": world.token.address}
    types = {kind: [{"name": name, "type": what} for name, what in fields]}
    signable = encode_typed_data({**of_token, **place, **domain}, types, message)
    return bytes(Account.sign_message(signable, key_of(signer)).signature)


def cancellation(world: World, signer: str, authorizer: str, nonce: bytes, **domain: Any) -> bytes:
    """The signature of a CancelAuthorization."""
    message = {"authorizer": authorizer, "nonce": nonce}
    return typed_signature(world, signer, "CancelAuthorization", CANCEL, message, **domain)


def split(signature: bytes) -> tuple[int, bytes, bytes]:
    """(v, r, s)."""
    return signature[64], signature[:32], signature[32:64]
