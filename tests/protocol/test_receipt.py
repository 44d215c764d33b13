from dataclasses import fields, replace

import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import EncodingError, FieldError
from protocol.receipt import (
    RECEIPT_TYPE,
    Receipt,
    Voucher,
    hash_receipt,
    output_root,
    prompt_digest,
    receipt_from_json,
    receipt_leaf,
    receipt_to_json,
    receipts_sum_root,
    request_id,
    solidity_tuple,
    voucher_from_json,
    voucher_to_json,
)
from protocol.sumtree import prove_sum, verify_sum
from tests.protocol.records import account, receipt, word, words32

uint64 = st.integers(0, 2**64 - 1)
vouchers = st.builds(Voucher, words32, st.integers(0, 2**128 - 1), uint64, words32, uint64)


def test_the_type_string_is_the_decided_one():
    """SPEC 6.1"""
    assert RECEIPT_TYPE == (
        "Receipt(bytes32 requestId,bytes32 channelId,uint64 seq,uint256 modelId,uint256 datanetVersionKey,"
        "bytes32 promptDigest,bytes32 outputRoot,bytes32 attributionRoot,bytes32 methodId,bytes32 profileId,"
        "uint64 parametersVersion,uint32 promptTokens,uint32 outputTokens,uint128 price,uint128 cumulative,"
        "address node,uint64 requestedAt,uint64 issuedAt)"
    )


@pytest.mark.parametrize("name", [field.name for field in fields(Receipt)])
def test_every_field_is_in_the_hash(name):
    """SPEC 6.1"""
    one = receipt()
    value = getattr(one, name)
    changed = (
        word("other") if isinstance(value, bytes) else account(55) if isinstance(value, str) else value + 1
    )
    assert hash_receipt(replace(one, **{name: changed}), keccak) != hash_receipt(one, keccak)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seq", 2**64),
        ("seq", -1),
        ("price", 2**128),
        ("prompt_tokens", 2**32),
        ("model_id", 2**256),
        ("seq", True),
        ("request_id", b"short"),
        ("request_id", "0x" + "0" * 64),
        ("node", "0x" + "A" * 40),
        ("seq", 1.0),
        ("node", 5),
    ],
)
def test_values_outside_their_types_are_refused(name, value):
    """SPEC 6.8"""
    with pytest.raises(EncodingError):
        replace(receipt(), **{name: value})


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**128 - 1), st.integers(0, 2**256 - 1))
def test_receipts_read_back_from_json(seq, price, key):
    """SPEC 6.8"""
    one = receipt(seq, price, datanet_version_key=key)
    assert receipt_from_json(receipt_to_json(one)) == one
    assert len(solidity_tuple(one)) == len(receipt_to_json(one)) == 18


@given(vouchers)
def test_vouchers_read_back_from_json(one):
    """SPEC 6.8"""
    assert voucher_from_json(voucher_to_json(one)) == one


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("price", 5),
        ("price", "05"),
        ("price", "-1"),
        ("price", str(2**128)),
        ("promptTokens", "5"),
        ("extra", 1),
        ("node", "0x" + "A" * 40),
        ("requestId", "0x00"),
        ("seq", None),
        ("promptTokens", True),
        ("price", "1e3"),
    ],
)
def test_json_of_other_types_is_refused_by_field(name, value):
    """SPEC 6.8, 0.19"""
    with pytest.raises(FieldError) as caught:
        receipt_from_json({**receipt_to_json(receipt()), name: value})
    assert caught.value.field == f"receipt.{name}"


def test_a_missing_field_is_refused():
    """SPEC 0.19"""
    value = receipt_to_json(receipt())
    del value["price"]
    with pytest.raises(FieldError, match=r"receipt\.price: missing"):
        receipt_from_json(value)


@given(words32, words32, st.text(max_size=20), st.text(max_size=20))
def test_a_request_id_follows_from_channel_and_key(channel, other, key, other_key):
    """SPEC 6.4"""
    assert request_id(channel, key, keccak) == request_id(channel, key, keccak)
    same = (channel, key) == (other, other_key)
    assert (request_id(channel, key, keccak) == request_id(other, other_key, keccak)) == same


@given(st.lists(st.integers(0, 2**32 - 1), max_size=40), words32, words32)
def test_a_prompt_digest_needs_its_salt(ids, salt, guess):
    """SPEC 6.5"""
    sampling = word("sampling")
    digest = prompt_digest(ids, sampling, salt, keccak)
    assert (digest == prompt_digest(ids, sampling, guess, keccak)) == (salt == guess)
    assert digest != prompt_digest(ids, word("other"), salt, keccak)
    with pytest.raises(EncodingError):
        prompt_digest(ids, sampling, salt[:16], keccak)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=70), st.data())
def test_an_output_root_binds_ids_order_and_count(ids, data):
    """SPEC 6.6"""
    expected = output_root(ids, keccak)
    place = data.draw(st.integers(0, len(ids) - 1))
    assert output_root([*ids[:place], ids[place] + 1, *ids[place + 1 :]], keccak) != expected
    assert output_root(ids[:-1], keccak) != expected
    swapped = list(reversed(ids))
    assert (output_root(swapped, keccak) == expected) == (swapped == ids)


@given(st.lists(st.integers(0, 10**20), max_size=9))
def test_a_receipts_root_sums_the_prices(prices):
    """SPEC 6.7"""
    receipts = [receipt(seq, price) for seq, price in enumerate(prices, start=1)]
    root = receipts_sum_root(receipts, keccak)
    assert (root.total, root.count) == (sum(prices), len(prices))
    leaves = [receipt_leaf(one, keccak) for one in receipts]
    for place, leaf in enumerate(leaves):
        assert verify_sum(leaf, prove_sum(leaves, place, keccak), root, keccak)
    if len(receipts) > 1:
        assert receipts_sum_root(receipts[::-1], keccak).digest != root.digest
    if receipts:
        assert receipts_sum_root(receipts[:-1], keccak).digest != root.digest
