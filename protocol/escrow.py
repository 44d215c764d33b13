"""Ids under which contracts hold money for someone: a request at the inference gateway, a deposit by
authorization. Twins of InferenceGateway.request and PaymentChannels.depositNonce.
"""

from dataclasses import dataclass

from protocol.hashing import Keccak, address_word, tag, words
from protocol.types import Address


@dataclass(frozen=True, slots=True)
class Ask:
    """What a requester asks of a node: `max_price` in wei, `deadline` in unix seconds, `callback_gas` for its
    own code.
    """

    requester: Address
    node: Address
    model_id: int
    prompt_cid: bytes
    max_price: int
    deadline: int
    callback_gas: int


def ask_id(ask: Ask, count: int, chain_id: int, gateway: Address, keccak: Keccak) -> bytes:
    """The id of the gateway's request number `count` (from 1), which binds all that was asked."""
    place = (chain_id, address_word(gateway), count)
    parties = (address_word(ask.requester), address_word(ask.node))
    terms = (ask.model_id, keccak(ask.prompt_cid), ask.max_price, ask.deadline, ask.callback_gas)
    return keccak(words(tag("ask", keccak), *place, *parties, *terms))


def deposit_nonce(channel: bytes, salt: bytes, keccak: Keccak) -> bytes:
    """The nonce that a payer's ERC-3009 authorization for a deposit into `channel` carries."""
    return keccak(words(tag("deposit", keccak), channel, salt))
