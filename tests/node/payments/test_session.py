"""API keys: only their hash is kept, their signer's key is sealed, and neither opens anything elsewhere."""

import stat
from pathlib import Path

import pytest

from node.chain.signer import signer_of
from node.errors import IntegrityError
from node.payments.session import KEY_PREFIX, Sessions, Unauthenticated, load_or_create_secret
from node.store.channels import ChannelStore
from node.store.database import Database

CHANNEL = b"\7" * 32


def test_a_key_opens_its_own_session_until_it_is_revoked(database: Database) -> None:
    """SPEC 6.48"""
    sessions = Sessions(ChannelStore(database), b"s" * 32)
    api_key, session = sessions.create(CHANNEL, now=5)
    other_key, other = sessions.create(CHANNEL, now=6)
    assert sessions.authenticate(api_key) == session
    assert sessions.authenticate(other_key) == other != session
    sessions.revoke(session.session_id, now=7)
    with pytest.raises(Unauthenticated):
        sessions.authenticate(api_key)
    assert sessions.authenticate(other_key) == other


@pytest.mark.parametrize("mangle", [str.upper, lambda key: key[:-1], lambda key: key + "x", lambda _: ""])
def test_anything_but_the_key_itself_opens_nothing(database: Database, mangle: object) -> None:
    """SPEC 6.48"""
    sessions = Sessions(ChannelStore(database), b"s" * 32)
    api_key, _ = sessions.create(CHANNEL, now=5)
    assert api_key.startswith(KEY_PREFIX)
    with pytest.raises(Unauthenticated):
        sessions.authenticate(mangle(api_key))  # type: ignore[operator]


def test_the_database_holds_neither_key(database: Database, tmp_path: Path) -> None:
    """SPEC 6.48"""
    sessions = Sessions(ChannelStore(database), b"s" * 32)
    api_key, session = sessions.create(CHANNEL, now=5)
    private_key = sessions.private_key(session.session_id)
    assert signer_of(private_key).address == session.signer
    database.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert private_key not in stored
    assert api_key.encode() not in stored


def test_another_secret_or_another_channel_opens_no_sealed_key(database: Database) -> None:
    """SPEC 6.48"""
    sessions = Sessions(ChannelStore(database), b"s" * 32)
    _, session = sessions.create(CHANNEL, now=5)
    with pytest.raises(IntegrityError):
        Sessions(ChannelStore(database), b"t" * 32).private_key(session.session_id)
    database.execute("UPDATE sessions SET channel_id = ?", (b"\x08" * 32,))
    with pytest.raises(IntegrityError):
        sessions.private_key(session.session_id)


def test_the_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    """SPEC 6.48"""
    path = tmp_path / "deep" / "session.secret"
    secret = load_or_create_secret(path)
    assert load_or_create_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(secret[:-1])
    with pytest.raises(IntegrityError):
        load_or_create_secret(path)
