"""Signatures over EIP-712 digests: receipts by a node, vouchers by a payer, as contracts accept them.

A signature is 65 bytes, r ‖ s ‖ v with v 27 or 28 and s in the lower half of the order: the upper half would
give every signature a second spelling. Nothing recovers to the zero address, Solidity's word for "failed".
"""

from dataclasses import dataclass, field

from eth_keys.datatypes import PrivateKey, Signature
from eth_keys.exceptions import BadSignature as EthBadSignature
from eth_utils.exceptions import ValidationError

from node.chain.keccak import keccak
from node.errors import InvalidInput
from protocol.eip712 import Domain, struct_hash, typed_digest
from protocol.hashing import address_word
from protocol.receipt import Receipt, Voucher, hash_receipt, hash_voucher
from protocol.types import ZERO_ADDRESS, Address

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SIGNATURE_BYTES = 65
DIGEST_BYTES = 32
V_OFFSET = 27
AUTHORIZATION_TYPE = "SignerAuthorization(address node,address signer,uint256 deadline)"


class BadSignature(InvalidInput, ValueError):
    """Not a signature in the one accepted form, or one that recovers to nobody."""


@dataclass(frozen=True)
class Signer:
    """An account that signs; the key stays out of `repr`."""

    address: Address
    _key: PrivateKey = field(repr=False)

    def sign_digest(self, digest: bytes) -> bytes:
        """The 65-byte signature of a 32-byte digest; deterministic (RFC 6979)."""
        return _encode(self._key.sign_msg_hash(_checked(digest)))

    def private_key(self) -> bytes:
        """The 32 bytes themselves, for whoever signs transactions with this account."""
        return bytes(self._key.to_bytes())

    def sign_receipt(self, receipt: Receipt, domain: Domain) -> bytes:
        """The node's signature of a receipt."""
        return self.sign_digest(receipt_digest(receipt, domain))

    def sign_voucher(self, voucher: Voucher, domain: Domain) -> bytes:
        """The payer's signature of a voucher."""
        return self.sign_digest(voucher_digest(voucher, domain))


def signer_of(private_key: bytes) -> Signer:
    """The signer of a 32-byte private key."""
    try:
        key = PrivateKey(private_key)
        address = Address(key.public_key.to_address().lower())
    except (ValidationError, ValueError) as error:
        # The error's own text may repeat the key.
        raise InvalidInput("not a private key", size=len(private_key)) from error.with_traceback(None)
    return Signer(address, key)


def sign_digest(private_key: bytes, digest: bytes) -> bytes:
    """Signs once with a key that the caller does not keep."""
    return signer_of(private_key).sign_digest(digest)


def recover_digest(digest: bytes, signature: bytes) -> Address:
    """The address that signed the digest. Raises BadSignature for any other form than ours."""
    try:
        key = _decode(signature).recover_public_key_from_msg_hash(_checked(digest))
    except (EthBadSignature, ValidationError) as error:
        raise BadSignature("the signature recovers to no account") from error
    address = Address(key.to_address().lower())
    if address == ZERO_ADDRESS:
        raise BadSignature("the signature recovers to the zero address")
    return address


def receipt_digest(receipt: Receipt, domain: Domain) -> bytes:
    """What the node signs; `domain` is that of receipts."""
    return typed_digest(domain, hash_receipt(receipt, keccak), keccak)


def voucher_digest(voucher: Voucher, domain: Domain) -> bytes:
    """What the payer signs; `domain` is that of channels."""
    return typed_digest(domain, hash_voucher(voucher, keccak), keccak)


def authorization_digest(node: Address, signer: Address, deadline: int, domain: Domain) -> bytes:
    """What a receipt signer signs to consent to sign for a node; `domain` is staking's."""
    values = (address_word(node), address_word(signer), deadline)
    return typed_digest(domain, struct_hash(AUTHORIZATION_TYPE, values, keccak), keccak)


def staking_domain(chain_id: int, staking: Address) -> Domain:
    """The domain of signer authorisations; `staking` is NodeStaking."""
    return Domain("OpenLedger Staking", "1", chain_id, staking)


def recover_receipt(receipt: Receipt, signature: bytes, domain: Domain) -> Address:
    """Who signed a receipt."""
    return recover_digest(receipt_digest(receipt, domain), signature)


def _checked(digest: bytes) -> bytes:
    if len(digest) != DIGEST_BYTES:
        raise InvalidInput("a digest has 32 bytes", size=len(digest))
    return digest


def _encode(signature: Signature) -> bytes:
    r, s, parity = signature.r, signature.s, signature.v
    if s > SECP256K1_ORDER // 2:
        s, parity = SECP256K1_ORDER - s, 1 - parity
    return bytes(r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([V_OFFSET + parity]))


def _decode(signature: bytes) -> Signature:
    if len(signature) != SIGNATURE_BYTES:
        raise BadSignature("a signature has 65 bytes", size=len(signature))
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    parity = signature[64] - V_OFFSET
    if parity not in (0, 1):
        raise BadSignature("v must be 27 or 28", v=signature[64])
    if not 0 < r < SECP256K1_ORDER or not 0 < s <= SECP256K1_ORDER // 2:
        raise BadSignature("r or s is out of range, or s is in the upper half of the order")
    return Signature(vrs=(parity, r, s))
