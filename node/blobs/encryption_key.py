"""The node's X25519 key for gated rows, kept in a file under a password."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from node.errors import ConfigError
from protocol.canonical import parse_json

# 32 MiB and about 100 ms a guess. A file may ask for more, but not for more than the node can spare.
SCRYPT_N = 2**15
SCRYPT_N_RANGE = (2**14, 2**20)
SCRYPT_R = 8
SCRYPT_P = 1
SALT_BYTES = 16
NONCE_BYTES = 12
MAX_FILE_BYTES = 4096
FORMAT = "openledger-x25519-1"


class EncryptionKeyUnusable(ConfigError):
    """The key file is missing, malformed, or under another password."""


def create_encryption_key(path: Path, password: str) -> X25519PrivateKey:
    """Make a new key and write it, encrypted, for its owner only. An existing file is never replaced."""
    private = X25519PrivateKey.generate()
    salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    public = private.public_key().public_bytes_raw()
    sealed = AESGCM(_stretch(password, salt, SCRYPT_N)).encrypt(nonce, private.private_bytes_raw(), public)
    parts = {"public": public, "salt": salt, "nonce": nonce, "sealed": sealed}
    fields = {"format": FORMAT, "n": SCRYPT_N} | {name: part.hex() for name, part in parts.items()}
    _write_new(path, json.dumps(fields, indent=1).encode() + b"\n")
    return private


def load_encryption_key(path: Path, password: str) -> X25519PrivateKey:
    """Read and decrypt the key. Raises EncryptionKeyUnusable."""
    try:
        return _decrypt(_fields(path.read_bytes()), password)
    except InvalidTag as error:
        raise EncryptionKeyUnusable("wrong password, or the key file was changed", path=str(path)) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncryptionKeyUnusable("not a key file", path=str(path), reason=str(error)) from error


def _fields(content: bytes) -> dict[str, str]:
    fields = parse_json(content, MAX_FILE_BYTES)
    if not isinstance(fields, dict):
        raise ValueError("not a JSON object")
    return fields


def _decrypt(fields: dict[str, str], password: str) -> X25519PrivateKey:
    if fields["format"] != FORMAT:
        raise ValueError(f"format is {fields['format']!r}, not {FORMAT!r}")
    rounds = int(fields["n"])
    if not SCRYPT_N_RANGE[0] <= rounds <= SCRYPT_N_RANGE[1]:
        raise ValueError(f"scrypt n = {rounds} is outside {SCRYPT_N_RANGE}")
    public, salt, nonce, sealed = (
        bytes.fromhex(fields[name]) for name in ("public", "salt", "nonce", "sealed")
    )
    cipher = AESGCM(_stretch(password, salt, rounds))
    return X25519PrivateKey.from_private_bytes(cipher.decrypt(nonce, sealed, public))


def _stretch(password: str, salt: bytes, rounds: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=rounds, r=SCRYPT_R, p=SCRYPT_P).derive(password.encode())


def _write_new(path: Path, content: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        # A new key would lose every row that was granted to the old one.
        raise EncryptionKeyUnusable("key file exists", path=str(path)) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
