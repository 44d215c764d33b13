"""API keys: each is a session signer that a payer's wallet authorised, on chain, up to a cap and a time.

The key itself is shown once and kept only as a hash. Its signer's private key is sealed under the node's
own secret, because the node signs vouchers with it after the client has gone. What that trusts a node with
is the cap.
"""

import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from node.chain.signer import signer_of
from node.errors import IntegrityError, Refused
from node.store.channels import ChannelStore, StoredSession
from protocol.hashing import sha256

KEY_PREFIX = "ol_sk_"
KEY_BYTES = 32
SHOWN_CHARACTERS = len(KEY_PREFIX) + 6
NONCE_BYTES = 12


class Unauthenticated(Refused):
    """No such API key, or one that was revoked."""


@dataclass(frozen=True)
class Session:
    """An authenticated API key: which channel it spends from, and the address that signs its vouchers."""

    session_id: bytes
    channel_id: bytes
    signer: str


def session_id_of(api_key: str) -> bytes:
    """The only form in which an API key is kept."""
    return sha256(api_key.encode("utf-8"))


def load_or_create_secret(path: Path) -> bytes:
    """The 32 bytes under which session keys are sealed; made on first use, readable by its owner alone."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(KEY_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    secret = path.read_bytes()
    if len(secret) != KEY_BYTES:
        raise IntegrityError("the session secret is damaged", path=str(path), size=len(secret))
    return secret


class Sessions:
    """Makes, finds and revokes API keys, and opens the private key of one that must sign."""

    def __init__(self, store: ChannelStore, secret: bytes) -> None:
        self._store = store
        self._aead = AESGCM(secret)

    def create(self, channel_id: bytes, now: int) -> tuple[str, Session]:
        """A new API key, shown this once, and the session whose signer the payer must authorise on chain."""
        api_key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
        private_key = secrets.token_bytes(KEY_BYTES)
        session_id = session_id_of(api_key)
        signer = signer_of(private_key).address
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + self._aead.encrypt(nonce, private_key, _bound_to(session_id, channel_id))
        self._store.put_session(
            StoredSession(session_id, api_key[:SHOWN_CHARACTERS], channel_id, signer, sealed, created_at=now)
        )
        return api_key, Session(session_id, channel_id, signer)

    def authenticate(self, api_key: str) -> Session:
        """The session of an API key; Unauthenticated where there is none."""
        wanted = session_id_of(api_key)
        stored = self._store.find_session(wanted)
        if (
            stored is None
            or not hmac.compare_digest(stored.session_id, wanted)
            or stored.revoked_at is not None
        ):
            raise Unauthenticated("unknown API key")
        return Session(stored.session_id, stored.channel_id, stored.signer)

    def revoke(self, session_id: bytes, now: int) -> None:
        """The key opens no further request; vouchers for receipts already issued can still be signed."""
        self._store.revoke_session(session_id, now)

    def of_channel(self, channel_id: bytes) -> tuple[StoredSession, ...]:
        return self._store.sessions(channel_id)

    def all(self) -> tuple[Session, ...]:
        """Every session, revoked ones too."""
        return tuple(Session(one.session_id, one.channel_id, one.signer) for one in self._store.sessions())

    def find(self, session_id: bytes) -> Session:
        """The session by its id, revoked or not: a receipt issued before the revocation is still owed."""
        stored = self._stored(session_id)
        return Session(stored.session_id, stored.channel_id, stored.signer)

    def private_key(self, session_id: bytes) -> bytes:
        """The signer's private key, for the length of one signature."""
        stored = self._stored(session_id)
        nonce, sealed = stored.sealed_key[:NONCE_BYTES], stored.sealed_key[NONCE_BYTES:]
        try:
            return self._aead.decrypt(nonce, sealed, _bound_to(session_id, stored.channel_id))
        except InvalidTag as error:
            raise IntegrityError(
                "the session key was sealed under another secret", prefix=stored.prefix
            ) from error

    def _stored(self, session_id: bytes) -> StoredSession:
        stored = self._store.find_session(session_id)
        if stored is None:
            raise Unauthenticated("unknown session")
        return stored


def _bound_to(session_id: bytes, channel_id: bytes) -> bytes:
    # A sealed key moved to another row must not open there.
    return b"openledger.session." + session_id + channel_id
