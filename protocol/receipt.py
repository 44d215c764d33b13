"""What a node signs about an answer (Receipt), what a payer signs about money (Voucher), and their digests.

The field tables below are the one place that knows the EIP-712 order, types and names; hashing, JSON and
range checks all follow them. JSON uses the Solidity names, so a wallet can sign the same object.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocol.eip712 import Domain, struct_hash, typed_digest
from protocol.errors import EncodingError
from protocol.fields import Fields
from protocol.hashing import ZERO_WORD, Keccak, address_word, tag, to_hex, words
from protocol.sumtree import SumLeaf, SumRoot, sum_root
from protocol.tokens import sequence_root
from protocol.types import Address, parse_address

_Table = tuple[tuple[str, str, str], ...]

_RECEIPT: _Table = (
    ("bytes32", "requestId", "request_id"),
    ("bytes32", "channelId", "channel_id"),
    ("uint64", "seq", "seq"),
    ("uint256", "modelId", "model_id"),
    ("uint256", "datanetVersionKey", "datanet_version_key"),
    ("bytes32", "promptDigest", "prompt_digest"),
    ("bytes32", "outputRoot", "output_root"),
    ("bytes32", "attributionRoot", "attribution_root"),
    ("bytes32", "methodId", "method_id"),
    ("bytes32", "profileId", "profile_id"),
    ("uint64", "parametersVersion", "parameters_version"),
    ("uint32", "promptTokens", "prompt_tokens"),
    ("uint32", "outputTokens", "output_tokens"),
    ("uint128", "price", "price"),
    ("uint128", "cumulative", "cumulative"),
    ("address", "node", "node"),
    ("uint64", "requestedAt", "requested_at"),
    ("uint64", "issuedAt", "issued_at"),
)
_VOUCHER: _Table = (
    ("bytes32", "channelId", "channel_id"),
    ("uint128", "cumulative", "cumulative"),
    ("uint64", "receiptCount", "receipt_count"),
    ("bytes32", "receiptsRoot", "receipts_root"),
    ("uint64", "validBefore", "valid_before"),
)
_CHANNEL: _Table = (
    ("address", "payer", "payer"),
    ("address", "payee", "payee"),
    ("uint64", "withdrawDelay", "withdraw_delay"),
    ("bytes32", "salt", "salt"),
)


def _type_string(name: str, table: _Table) -> str:
    return f"{name}({','.join(f'{kind} {solidity}' for kind, solidity, _ in table)})"


RECEIPT_TYPE = _type_string("Receipt", _RECEIPT)
VOUCHER_TYPE = _type_string("Voucher", _VOUCHER)
CHANNEL_TYPE = _type_string("Channel", _CHANNEL)


@dataclass(frozen=True, slots=True)
class Receipt:
    """One answer, stated by its node; `cumulative` sums the channel's prices up to and including it."""

    request_id: bytes
    channel_id: bytes
    seq: int
    model_id: int
    datanet_version_key: int
    prompt_digest: bytes
    output_root: bytes
    attribution_root: bytes
    method_id: bytes
    profile_id: bytes
    parameters_version: int
    prompt_tokens: int
    output_tokens: int
    price: int
    cumulative: int
    node: Address
    requested_at: int
    issued_at: int

    def __post_init__(self) -> None:
        _check(self, _RECEIPT)


@dataclass(frozen=True, slots=True)
class Voucher:
    """The payer's word: the channel's receipts 1..receipt_count under this root cost `cumulative` in all."""

    channel_id: bytes
    cumulative: int
    receipt_count: int
    receipts_root: bytes
    valid_before: int

    def __post_init__(self) -> None:
        _check(self, _VOUCHER)


@dataclass(frozen=True, slots=True)
class Channel:
    """What names a payment channel; `withdraw_delay` in seconds."""

    payer: Address
    payee: Address
    withdraw_delay: int
    salt: bytes

    def __post_init__(self) -> None:
        _check(self, _CHANNEL)


def hash_receipt(receipt: Receipt, keccak: Keccak) -> bytes:
    """EIP-712 struct hash, the receipt's key in every tree."""
    return struct_hash(RECEIPT_TYPE, _words_of(receipt, _RECEIPT), keccak)


def hash_voucher(voucher: Voucher, keccak: Keccak) -> bytes:
    """EIP-712 struct hash."""
    return struct_hash(VOUCHER_TYPE, _words_of(voucher, _VOUCHER), keccak)


def channel_id(channel: Channel, domain: Domain, keccak: Keccak) -> bytes:
    """EIP-712 digest of the channel under the channels' domain: unique per chain and contract."""
    return typed_digest(domain, struct_hash(CHANNEL_TYPE, _words_of(channel, _CHANNEL), keccak), keccak)


def request_id(channel: bytes, idempotency_key: str, keccak: Keccak) -> bytes:
    """One id per (channel id, idempotency key), so that a retry is the same request."""
    return keccak(words(tag("request", keccak), channel, keccak(idempotency_key.encode("utf-8"))))


def output_root(ids: Sequence[int], keccak: Keccak) -> bytes:
    """Digest of the output's token chunks and count."""
    return sequence_root(ids, keccak)


def prompt_digest(ids: Sequence[int], sampling: bytes, salt: bytes, keccak: Keccak) -> bytes:
    """Digest of the prompt's token ids and of how its answer was drawn (`sampling_digest`), under a secret
    32-byte salt, so that a guess cannot be confirmed.
    """
    return keccak(words(tag("prompt.2", keccak), salt, sequence_root(ids, keccak), sampling))


def receipts_sum_root(receipts: Sequence[Receipt], keccak: Keccak) -> SumRoot:
    """Sum tree over a channel's receipts in `seq` order; its digest is a voucher's receiptsRoot."""
    return sum_root([receipt_leaf(receipt, keccak) for receipt in receipts], keccak)


def receipt_leaf(receipt: Receipt, keccak: Keccak) -> SumLeaf:
    """Key: struct hash; amount: price."""
    return SumLeaf(hash_receipt(receipt, keccak), receipt.price)


def receipt_to_json(receipt: Receipt) -> dict[str, object]:
    """JSON object by Solidity names; uint128 and uint256 as decimal strings."""
    return _to_json(receipt, _RECEIPT)


def receipt_from_json(value: object) -> Receipt:
    """The inverse of `receipt_to_json`; FieldError names what is wrong."""
    return Receipt(**_from_json(value, _RECEIPT, "receipt"))


def voucher_to_json(voucher: Voucher) -> dict[str, object]:
    """JSON object by Solidity names."""
    return _to_json(voucher, _VOUCHER)


def voucher_from_json(value: object) -> Voucher:
    """The inverse of `voucher_to_json`."""
    return Voucher(**_from_json(value, _VOUCHER, "voucher"))


def solidity_tuple(record: Receipt | Voucher | Channel) -> tuple[int | bytes | str, ...]:
    """The values in ABI order, as contract calls take them."""
    return tuple(getattr(record, name) for _, _, name in _TABLES[type(record)])


_TABLES: Mapping[type, _Table] = {Receipt: _RECEIPT, Voucher: _VOUCHER, Channel: _CHANNEL}


def _words_of(record: object, table: _Table) -> list[int | bytes]:
    return [
        address_word(getattr(record, name)) if kind == "address" else getattr(record, name)
        for kind, _, name in table
    ]


def _check(record: object, table: _Table) -> None:
    for kind, _, name in table:
        value = getattr(record, name)
        if not _is(kind, value):
            raise EncodingError(f"{name} is not a {kind}: {value!r}"[:200])


def _is(kind: str, value: object) -> bool:
    if kind == "bytes32":
        return isinstance(value, bytes) and len(value) == len(ZERO_WORD)
    if kind == "address":
        return isinstance(value, str) and parse_address(value) == value
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _largest(kind)


def _largest(kind: str) -> int:
    return int(2 ** int(kind.removeprefix("uint"))) - 1


def _to_json(record: object, table: _Table) -> dict[str, object]:
    out: dict[str, object] = {}
    for kind, solidity, name in table:
        value = getattr(record, name)
        if kind == "bytes32":
            value = to_hex(value)
        elif kind in ("uint128", "uint256", "uint64"):
            value = str(value)
        out[solidity] = value
    return out


def _from_json(value: object, table: _Table, where: str) -> dict[str, Any]:
    fields = Fields(value, where)
    out: dict[str, Any] = {}
    for kind, solidity, name in table:
        if kind == "bytes32":
            out[name] = fields.hexadecimal(solidity, 32)
        elif kind == "address":
            out[name] = fields.address(solidity)
        elif kind == "uint32":
            out[name] = fields.integer(solidity, 0, _largest(kind))
        else:
            out[name] = fields.decimal(solidity, _largest(kind))
    fields.done()
    return out
