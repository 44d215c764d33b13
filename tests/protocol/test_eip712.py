from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.eip712 import Domain, channels_domain, receipts_domain, typed_digest
from protocol.hashing import to_hex
from protocol.receipt import (
    CHANNEL_TYPE,
    RECEIPT_TYPE,
    VOUCHER_TYPE,
    Channel,
    Voucher,
    channel_id,
    hash_receipt,
    hash_voucher,
    solidity_tuple,
)
from tests.protocol.records import account, accounts, receipt, words32


def wallet_digest(domain, type_string, record):
    """What eth_account signs for the same object, from the type string alone."""
    name, members = type_string.rstrip(")").split("(")
    fields = [dict(zip(("type", "name"), member.split(" "), strict=True)) for member in members.split(",")]
    message = encode_typed_data(
        full_message={
            "types": {
                "EIP712Domain": [
                    {"name": "name", "type": "string"},
                    {"name": "version", "type": "string"},
                    {"name": "chainId", "type": "uint256"},
                    {"name": "verifyingContract", "type": "address"},
                ],
                name: fields,
            },
            "primaryType": name,
            "domain": {
                "name": domain.name,
                "version": domain.version,
                "chainId": domain.chain_id,
                "verifyingContract": domain.contract,
            },
            "message": {
                field["name"]: to_hex(value) if isinstance(value, bytes) else value
                for field, value in zip(fields, solidity_tuple(record), strict=True)
            },
        }
    )
    return keccak(b"\x19" + message.version + message.header + message.body)


uint64, uint128 = st.integers(0, 2**64 - 1), st.integers(0, 2**128 - 1)


@settings(max_examples=40)
@given(
    uint64,
    uint128,
    uint128,
    st.integers(0, 2**256 - 1),
    st.integers(0, 2**32 - 1),
    words32,
    st.integers(1, 2**60),
)
def test_receipts_hash_as_wallets_hash_them(seq, price, cumulative, model, tokens, digest, chain):
    """SPEC 0.18, 6.1"""
    one = receipt(seq, price, cumulative=cumulative, model_id=model, prompt_tokens=tokens, output_root=digest)
    domain = receipts_domain(chain, account(9))
    assert typed_digest(domain, hash_receipt(one, keccak), keccak) == wallet_digest(domain, RECEIPT_TYPE, one)


@settings(max_examples=40)
@given(words32, uint128, uint64, words32, uint64)
def test_vouchers_hash_as_wallets_hash_them(channel, cumulative, count, root, until):
    """SPEC 0.18, 6.2"""
    one = Voucher(channel, cumulative, count, root, until)
    domain = channels_domain(31337, account(9))
    assert typed_digest(domain, hash_voucher(one, keccak), keccak) == wallet_digest(domain, VOUCHER_TYPE, one)


@settings(max_examples=40)
@given(accounts, accounts, uint64, words32)
def test_channel_ids_are_typed_digests(payer, payee, delay, salt):
    """SPEC 0.18, 6.3"""
    one = Channel(payer, payee, delay, salt)
    domain = channels_domain(1, account(9))
    assert channel_id(one, domain, keccak) == wallet_digest(domain, CHANNEL_TYPE, one)


def test_every_part_of_a_domain_separates():
    """SPEC 0.18"""
    base = Domain("n", "1", 1, account(1))
    others = [
        Domain("m", "1", 1, account(1)),
        Domain("n", "2", 1, account(1)),
        Domain("n", "1", 2, account(1)),
        Domain("n", "1", 1, account(2)),
    ]
    assert len({typed_digest(domain, bytes(32), keccak) for domain in (base, *others)}) == 5
