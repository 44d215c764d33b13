"""Rows that only named readers can open: encrypted before they get a CID, with one key per row.

The key and the row's digest salt travel together, wrapped to each reader's X25519 key. Whoever has no wrapped
key has noise and a salted digest, which is also what is left after the wrapped keys are deleted.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from node.errors import Refused

KEY_BYTES = SALT_BYTES = DIGEST_BYTES = 32
NONCE_BYTES = 12
ROW_TAG = b"openledger.sealed-row.1"
WRAP_TAG = b"openledger.row-grant.1"


class CannotOpen(Refused):
    """The key does not fit, the bytes were changed, or they belong to another row or Datanet."""


@dataclass(frozen=True)
class RowSecret:
    """What a reader needs: the row's AES key, and the salt of its content digest."""

    key: bytes
    salt: bytes


@dataclass(frozen=True)
class Grant:
    """One row's secret, wrapped for one reader. `digest` is the row's salted content digest."""

    datanet: int
    digest: bytes
    reader: bytes
    ephemeral: bytes
    wrapped: bytes


def new_secret() -> RowSecret:
    return RowSecret(secrets.token_bytes(KEY_BYTES), secrets.token_bytes(SALT_BYTES))


def seal(plaintext: bytes, secret: RowSecret, datanet: int, digest: bytes) -> bytes:
    """Nonce and ciphertext, bound to this row of this Datanet."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(secret.key).encrypt(nonce, plaintext, _binding(ROW_TAG, datanet, digest))


def open_sealed(sealed: bytes, secret: RowSecret, datanet: int, digest: bytes) -> bytes:
    """The plaintext. Raises CannotOpen."""
    return _decrypt(secret.key, sealed, _binding(ROW_TAG, datanet, digest))


def wrap(secret: RowSecret, datanet: int, digest: bytes, reader: bytes) -> Grant:
    """Wrap `secret` for the holder of the X25519 public key `reader` (32 raw bytes)."""
    ephemeral = X25519PrivateKey.generate()
    public = ephemeral.public_key().public_bytes_raw()
    binding = _binding(WRAP_TAG, datanet, digest)
    key = _wrapping_key(ephemeral, reader, public + reader + binding)
    # The wrapping key is used once, so the nonce may be constant; a random one guards against a repeated key.
    nonce = secrets.token_bytes(NONCE_BYTES)
    wrapped = nonce + AESGCM(key).encrypt(nonce, secret.key + secret.salt, binding)
    return Grant(datanet, digest, reader, public, wrapped)


def unwrap(grant: Grant, private: X25519PrivateKey) -> RowSecret:
    """The secret in `grant`. Raises CannotOpen for any other key or any changed byte."""
    reader = private.public_key().public_bytes_raw()
    binding = _binding(WRAP_TAG, grant.datanet, grant.digest)
    key = _wrapping_key(private, grant.ephemeral, grant.ephemeral + reader + binding)
    opened = _decrypt(key, grant.wrapped, binding)
    if len(opened) != KEY_BYTES + SALT_BYTES:
        raise CannotOpen("a row secret has another size", expected=KEY_BYTES + SALT_BYTES, actual=len(opened))
    return RowSecret(opened[:KEY_BYTES], opened[KEY_BYTES:])


def _wrapping_key(private: X25519PrivateKey, public: bytes, context: bytes) -> bytes:
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        # Wrong length, or a low-order point, whose shared secret everyone knows.
        raise CannotOpen("not a usable X25519 key", key=public.hex()) from error
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=context).derive(shared)


def _decrypt(key: bytes, sealed: bytes, binding: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], binding)
    except (InvalidTag, ValueError) as error:
        raise CannotOpen("sealed bytes do not open", size=len(sealed)) from error


def _binding(tag: bytes, datanet: int, digest: bytes) -> bytes:
    if len(digest) != DIGEST_BYTES:
        raise CannotOpen("a row digest has another size", expected=DIGEST_BYTES, actual=len(digest))
    return tag + datanet.to_bytes(8, "big") + digest
