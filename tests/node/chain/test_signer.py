"""Signatures: ours recover, others' libraries agree, and every other spelling is refused."""

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from node.chain.keccak import keccak
from node.chain.signer import (
    SECP256K1_ORDER,
    BadSignature,
    authorization_digest,
    receipt_digest,
    recover_digest,
    recover_receipt,
    sign_digest,
    signer_of,
    staking_domain,
    voucher_digest,
)
from node.errors import InvalidInput
from protocol.eip712 import Domain, channels_domain, receipts_domain
from protocol.receipt import RECEIPT_TYPE, VOUCHER_TYPE, Receipt, Voucher, receipt_to_json, voucher_to_json
from protocol.types import Address

CONTRACT = Address("0x" + "11" * 20)
NODE = Address("0x" + "22" * 20)
keys = st.integers(1, SECP256K1_ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
digests = st.binary(min_size=32, max_size=32)


def receipt() -> Receipt:
    words = [bytes([place]) * 32 for place in range(1, 8)]
    return Receipt(
        request_id=words[0],
        channel_id=words[1],
        seq=3,
        model_id=7,
        datanet_version_key=(5 << 64) | 2,
        prompt_digest=words[2],
        output_root=words[3],
        attribution_root=words[4],
        method_id=words[5],
        profile_id=words[6],
        parameters_version=1,
        prompt_tokens=10,
        output_tokens=20,
        price=10**18,
        cumulative=3 * 10**18,
        node=NODE,
        requested_at=1_800_000_000,
        issued_at=1_800_000_001,
    )


VOUCHER = Voucher(b"\1" * 32, 3 * 10**18, 3, b"\2" * 32, 1_900_000_000)


@settings(max_examples=40, deadline=None)
@given(key=keys, digest=digests)
def test_a_signature_recovers_to_its_signer_and_is_canonical(key: bytes, digest: bytes) -> None:
    """SPEC 0.54"""
    signer = signer_of(key)
    signature = signer.sign_digest(digest)
    assert len(signature) == 65
    assert signature[64] in (27, 28)
    assert 0 < int.from_bytes(signature[32:64], "big") <= SECP256K1_ORDER // 2
    assert recover_digest(digest, signature) == signer.address == Account.from_key(key).address.lower()
    assert signature == sign_digest(key, digest) == bytes(Account.unsafe_sign_hash(digest, key).signature)


@settings(max_examples=40, deadline=None)
@given(key=keys, digest=digests)
def test_the_upper_half_twin_is_refused(key: bytes, digest: bytes) -> None:
    """SPEC 0.54: the same curve point with s negated would recover to the same account."""
    signature = sign_digest(key, digest)
    twin_s = SECP256K1_ORDER - int.from_bytes(signature[32:64], "big")
    twin = signature[:32] + twin_s.to_bytes(32, "big") + bytes([27 + 28 - signature[64]])
    assert Account._recover_hash(digest, signature=twin).lower() == signer_of(key).address
    with pytest.raises(BadSignature):
        recover_digest(digest, twin)


@settings(max_examples=200, deadline=None)
@given(digest=digests, signature=st.binary(max_size=70))
def test_noise_recovers_to_nobody_or_raises(digest: bytes, signature: bytes) -> None:
    """SPEC 0.54: and never to the zero address."""
    try:
        found = recover_digest(digest, signature)
    except BadSignature:
        return
    assert len(signature) == 65
    assert int(found, 16) != 0


@pytest.mark.parametrize(
    "mangle",
    [
        lambda s: s[:64],
        lambda s: s + b"\0",
        lambda s: s[:64] + bytes([s[64] - 27]),
        lambda s: s[:64] + bytes([29]),
        lambda s: bytes(32) + s[32:],
        lambda s: s[:32] + bytes(32) + s[64:],
        lambda s: SECP256K1_ORDER.to_bytes(32, "big") + s[32:],
        lambda s: b"",
    ],
)
def test_every_other_form_is_refused(mangle) -> None:  # type: ignore[no-untyped-def]
    """SPEC 0.54"""
    digest = keccak(b"digest")
    with pytest.raises(BadSignature):
        recover_digest(digest, mangle(sign_digest(b"\7" * 32, digest)))


def test_a_wallet_signs_the_same_receipt_and_voucher() -> None:
    """SPEC 0.54: eth_signTypedData over the JSON form gives the digest that protocol computes."""
    account = Account.from_key(b"\7" * 32)
    cases = [
        (receipts_domain(31337, CONTRACT), "Receipt", receipt_to_json(receipt()), receipt_digest),
        (channels_domain(31337, CONTRACT), "Voucher", voucher_to_json(VOUCHER), voucher_digest),
    ]
    for domain, name, message, digest_of in cases:
        record = receipt() if name == "Receipt" else VOUCHER
        ours = signer_of(b"\7" * 32).sign_digest(digest_of(record, domain))  # type: ignore[operator]
        assert (
            bytes(
                account.sign_message(encode_typed_data(full_message=typed(domain, name, message))).signature
            )
            == ours
        )


def typed(domain: Domain, name: str, message: dict[str, object]) -> dict[str, object]:
    declared = RECEIPT_TYPE if name == "Receipt" else VOUCHER_TYPE
    fields = [part.split(" ") for part in declared[declared.index("(") + 1 : -1].split(",")]
    strings = ("name", "version")
    return {
        "types": {
            "EIP712Domain": [{"name": field, "type": "string"} for field in strings]
            + [{"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"}],
            name: [{"name": field, "type": kind} for kind, field in fields],
        },
        "primaryType": name,
        "domain": {
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": domain.contract,
        },
        "message": message,
    }


def test_a_signature_holds_for_one_domain_only() -> None:
    """SPEC 0.54"""
    signer = signer_of(b"\7" * 32)
    here = receipts_domain(31337, CONTRACT)
    signature = signer.sign_receipt(receipt(), here)
    assert recover_receipt(receipt(), signature, here) == signer.address
    for elsewhere in (
        receipts_domain(1, CONTRACT),
        receipts_domain(31337, NODE),
        channels_domain(31337, CONTRACT),
    ):
        assert recover_receipt(receipt(), signature, elsewhere) != signer.address
    voucher_signature = signer.sign_voucher(VOUCHER, here)
    assert recover_digest(voucher_digest(VOUCHER, here), voucher_signature) == signer.address


def test_an_authorisation_binds_node_signer_and_deadline() -> None:
    """SPEC 0.54"""
    domain = staking_domain(31337, CONTRACT)
    base = authorization_digest(NODE, CONTRACT, 5, domain)
    others = [
        authorization_digest(CONTRACT, CONTRACT, 5, domain),
        authorization_digest(NODE, NODE, 5, domain),
        authorization_digest(NODE, CONTRACT, 6, domain),
        authorization_digest(NODE, CONTRACT, 5, staking_domain(1, CONTRACT)),
    ]
    assert base not in others


def test_a_key_never_shows_itself() -> None:
    """SPEC 0.58"""
    key = b"\x5a" * 32
    assert "5a5a" not in repr(signer_of(key))
    for bad in (b"", b"\0" * 32, b"\xff" * 32, key + b"\0"):
        with pytest.raises(InvalidInput) as caught:
            signer_of(bad)
        assert bad.hex() not in str(caught.value) or not bad
