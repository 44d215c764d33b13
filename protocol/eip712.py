"""EIP-712 typed data over static fields: type hash, struct hash, domain and the digest that is signed."""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.hashing import Keccak, address_word, words
from protocol.types import Address

DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a signature is valid: one contract on one chain."""

    name: str
    version: str
    chain_id: int
    contract: Address


def receipts_domain(chain_id: int, settlement: Address) -> Domain:
    """The domain of receipts; `settlement` is EpochSettlement."""
    return Domain("OpenLedger Receipts", "1", chain_id, settlement)


def channels_domain(chain_id: int, channels: Address) -> Domain:
    """The domain of channels and vouchers; `channels` is PaymentChannels."""
    return Domain("OpenLedger Channels", "1", chain_id, channels)


def labour_domain(chain_id: int, ledger: Address) -> Domain:
    """The domain of labour records; `ledger` is LabourLedger."""
    return Domain("OpenLedger Labour", "1", chain_id, ledger)


def struct_hash(type_string: str, values: Sequence[int | bytes], keccak: Keccak) -> bytes:
    """keccak(typeHash ‖ words) for a struct of static fields."""
    return keccak(words(keccak(type_string.encode("ascii")), *values))


def domain_separator(domain: Domain, keccak: Keccak) -> bytes:
    """Struct hash of the domain."""
    name, version = keccak(domain.name.encode("utf-8")), keccak(domain.version.encode("utf-8"))
    return struct_hash(DOMAIN_TYPE, (name, version, domain.chain_id, address_word(domain.contract)), keccak)


def typed_digest(domain: Domain, struct_digest: bytes, keccak: Keccak) -> bytes:
    """The 32 bytes that are signed."""
    return keccak(b"\x19\x01" + domain_separator(domain, keccak) + struct_digest)
