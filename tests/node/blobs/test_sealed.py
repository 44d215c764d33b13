"""A sealed row opens for its readers alone, and for nobody once a byte or its context has changed."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from node.blobs.sealed import CannotOpen, Grant, new_secret, open_sealed, seal, unwrap, wrap

DATANET = 7
DIGEST = bytes(range(32))
READER = X25519PrivateKey.from_private_bytes(b"\x11" * 32)
STRANGER = X25519PrivateKey.from_private_bytes(b"\x22" * 32)


def grant_for(private: X25519PrivateKey) -> tuple[Grant, bytes]:
    secret = new_secret()
    grant = wrap(secret, DATANET, DIGEST, private.public_key().public_bytes_raw())
    return grant, seal(b"Type 2 diabetes mellitus", secret, DATANET, DIGEST)


@given(
    plaintext=st.binary(max_size=200),
    datanet=st.integers(1, 2**64 - 1),
    digest=st.binary(min_size=32, max_size=32),
)
@settings(max_examples=40, deadline=None)
def test_a_reader_opens_exactly_what_was_sealed(plaintext: bytes, datanet: int, digest: bytes) -> None:
    """SPEC 1.10"""
    secret = new_secret()
    grant = wrap(secret, datanet, digest, READER.public_key().public_bytes_raw())
    assert unwrap(grant, READER) == secret
    sealed = seal(plaintext, secret, datanet, digest)
    assert open_sealed(sealed, secret, datanet, digest) == plaintext
    assert len(plaintext) < 8 or plaintext not in sealed


def test_nobody_else_opens_a_grant() -> None:
    """SPEC 1.10"""
    grant, _ = grant_for(READER)
    with pytest.raises(CannotOpen):
        unwrap(grant, STRANGER)
    with pytest.raises(CannotOpen):
        unwrap(replace(grant, reader=STRANGER.public_key().public_bytes_raw()), STRANGER)


@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_any_changed_byte_is_refused(position: int, flip: int) -> None:
    """SPEC 1.11"""
    grant, sealed = grant_for(READER)
    secret = unwrap(grant, READER)

    def changed(data: bytes) -> bytes:
        at = position % len(data)
        return data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]

    with pytest.raises(CannotOpen):
        open_sealed(changed(sealed), secret, DATANET, DIGEST)
    with pytest.raises(CannotOpen):
        unwrap(replace(grant, wrapped=changed(grant.wrapped)), READER)
    with pytest.raises(CannotOpen):
        unwrap(replace(grant, digest=changed(grant.digest)), READER)


@pytest.mark.parametrize(
    "field", [{"datanet": DATANET + 1}, {"digest": bytes(32)}, {"ephemeral": b"\x09" + bytes(31)}]
)
def test_a_grant_of_one_row_opens_no_other(field: dict[str, object]) -> None:
    """SPEC 1.11"""
    grant, sealed = grant_for(READER)
    with pytest.raises(CannotOpen):
        unwrap(replace(grant, **field), READER)
    secret = unwrap(grant, READER)
    with pytest.raises(CannotOpen):
        open_sealed(sealed, secret, DATANET + 1, DIGEST)
    with pytest.raises(CannotOpen):
        open_sealed(sealed, secret, DATANET, bytes(32))


@pytest.mark.parametrize("key", [bytes(32), b"\x01" + bytes(31), b"", b"\x01" * 31, b"\x01" * 33])
def test_a_key_that_everyone_could_open_is_refused(key: bytes) -> None:
    """SPEC 1.10: low-order points make the shared secret public."""
    with pytest.raises(CannotOpen):
        wrap(new_secret(), DATANET, DIGEST, key)


@given(sealed=st.binary(max_size=64))
@settings(max_examples=60, deadline=None)
def test_noise_never_opens(sealed: bytes) -> None:
    """SPEC 1.11"""
    with pytest.raises(CannotOpen):
        open_sealed(sealed, new_secret(), DATANET, DIGEST)


def test_two_sealings_of_one_row_have_nothing_in_common() -> None:
    """SPEC 1.10: else a guess at a row could be checked against its CID."""
    secret = new_secret()
    assert seal(b"same row", secret, DATANET, DIGEST) != seal(b"same row", secret, DATANET, DIGEST)
