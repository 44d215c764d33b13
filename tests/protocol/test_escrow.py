"""Ids of escrowed requests and deposits; tests/contracts holds them to the contracts."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.chain.keccak import keccak
from protocol.errors import EncodingError
from protocol.escrow import Ask, ask_id, deposit_nonce
from protocol.types import Address

REQUESTER, NODE, GATEWAY = (Address("0x" + digit * 40) for digit in "123")
ASK = Ask(REQUESTER, NODE, 7, b"\x01\x55", 100, 2_000_000_000, 200_000)
OTHERS: dict[str, Any] = {
    "requester": NODE,
    "node": REQUESTER,
    "model_id": 8,
    "prompt_cid": b"\x01\x56",
    "max_price": 101,
    "deadline": 2_000_000_001,
    "callback_gas": 200_001,
}


@pytest.mark.parametrize("field", sorted(OTHERS))
def test_a_requests_id_binds_every_term(field: str) -> None:
    """SPEC 6.81: whatever is asked otherwise is another request."""
    changed = replace(ASK, **{field: OTHERS[field]})
    assert ask_id(changed, 1, 1, GATEWAY, keccak) != ask_id(ASK, 1, 1, GATEWAY, keccak)


def test_a_requests_id_binds_its_place() -> None:
    """SPEC 6.81: and so is the same asked again, elsewhere, or on another chain."""
    places = [(1, 1, GATEWAY), (2, 1, GATEWAY), (1, 2, GATEWAY), (1, 1, NODE)]
    assert len({ask_id(ASK, *place, keccak) for place in places}) == len(places)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_a_deposits_nonce_is_its_own(channel: bytes, salt: bytes) -> None:
    """SPEC 6.62: no deposit's nonce is a channel's id or another's nonce."""
    nonce = deposit_nonce(channel, salt, keccak)
    assert nonce not in (channel, salt)
    if channel != salt:
        assert nonce != deposit_nonce(salt, channel, keccak)


def test_words_of_another_length_are_refused() -> None:
    with pytest.raises(EncodingError):
        deposit_nonce(b"\x01", bytes(32), keccak)
