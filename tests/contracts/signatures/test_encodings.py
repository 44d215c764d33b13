"""One signature, many ways to write it down: only one is accepted anywhere."""

from collections.abc import Callable

import pytest

from node.chain.signer import SECP256K1_ORDER
from tests.contracts.signatures.accounts import account_of
from tests.contracts.signatures.subjects import SUBJECTS
from tests.contracts.world import World, reverts


def compact(signature: bytes) -> bytes:
    """ERC-2098: 64 bytes, the parity in the top bit of s."""
    parity = signature[64] - 27
    s = int.from_bytes(signature[32:64], "big") | parity << 255
    return signature[:32] + s.to_bytes(32, "big")


def high_s(signature: bytes) -> bytes:
    """The other signature of the same key over the same message, which needs no key to make."""
    s = SECP256K1_ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


SIXTY_FIVE: dict[str, Callable[[bytes], bytes]] = {
    "v of 0 or 1": lambda s: s[:64] + bytes([s[64] - 27]),
    "v of 29": lambda s: s[:64] + b"\x1d",
    "zeros": lambda s: bytes(65),
    "zeros with v": lambda s: bytes(64) + b"\x1b",
    "r beyond the order": lambda s: b"\xff" * 32 + s[32:],
    "s of zero": lambda s: s[:32] + bytes(32) + s[64:],
}
OTHER_LENGTHS: dict[str, Callable[[bytes], bytes]] = {
    "ERC-2098": compact,
    "empty": lambda s: b"",
    "one byte": lambda s: s[:1],
    "64 bytes": lambda s: s[:64],
    "66 bytes": lambda s: s + b"\x00",
    "twice": lambda s: s + s,
}


@pytest.mark.parametrize("subject", sorted(SUBJECTS))
def test_a_signature_has_one_form_everywhere(world: World, subject: str) -> None:
    """SPEC 6.73: of all encodings only r, s, v with v 27 or 28 and s in the lower half is accepted."""
    signed = SUBJECTS[subject](world, account_of(world, "plain"))
    good = signed.sign()
    forms = SIXTY_FIVE if signed.as_words else SIXTY_FIVE | OTHER_LENGTHS
    for name, form in forms.items():
        assert form(good) != good, name
        with reverts(signed.refusals.malformed):
            signed.submit(signed.message, form(good))
    with reverts(signed.refusals.high_s):
        signed.submit(signed.message, high_s(good))
    with reverts(signed.refusals.wrong):
        signed.submit(signed.message, good[:64] + bytes([55 - good[64]]))
    signed.submit(signed.message, good)
