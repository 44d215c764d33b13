"""Key files: private, whole or absent, and closed to a wrong password."""

import json
import os
import stat
from pathlib import Path

import pytest
from eth_account import Account

from node.chain.keystore import LIGHT_SCRYPT, KeyFileExposed, Keystore, WrongPassword
from node.errors import Conflict, InvalidInput, NotFound

KEY = b"\x2a" * 32


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    return Keystore(tmp_path / "keys")


def test_a_key_comes_back_with_its_password_only(keystore: Keystore) -> None:
    """SPEC 0.55"""
    address = keystore.create("pässword £", KEY, LIGHT_SCRYPT)
    signer = keystore.load(address, "pässword £")
    assert signer.address == address == Account.from_key(KEY).address.lower()
    assert signer.sign_digest(b"\1" * 32) == bytes(Account.unsafe_sign_hash(b"\1" * 32, KEY).signature)
    for wrong in ("", "pässword", "pässword £ ", "PÄSSWORD £"):
        with pytest.raises(WrongPassword):
            keystore.load(address, wrong)


def test_files_and_folder_are_private_whatever_the_umask(keystore: Keystore) -> None:
    """SPEC 0.55"""
    before = os.umask(0)
    try:
        address = keystore.create("secret", scrypt=LIGHT_SCRYPT)
    finally:
        os.umask(before)
    path = keystore.folder / f"{address}.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keystore.folder.stat().st_mode) == 0o700
    assert [entry.name for entry in keystore.folder.iterdir()] == [path.name]
    path.chmod(0o640)
    with pytest.raises(KeyFileExposed):
        keystore.load(address, "secret")


def test_other_wallets_read_the_file(keystore: Keystore) -> None:
    """SPEC 0.55: it is the common version 3 format."""
    address = keystore.create("pässword", KEY, LIGHT_SCRYPT)
    text = (keystore.folder / f"{address}.json").read_text()
    assert bytes(Account.decrypt(text, "pässword")) == KEY
    assert KEY.hex() not in text


def test_an_account_is_never_overwritten(keystore: Keystore) -> None:
    """SPEC 0.55"""
    address = keystore.create("first", KEY, LIGHT_SCRYPT)
    with pytest.raises(Conflict):
        keystore.create("second", KEY, LIGHT_SCRYPT)
    assert keystore.load(address, "first").address == address
    assert keystore.accounts() == (address,)


def test_new_keys_differ_and_are_listed(keystore: Keystore) -> None:
    """SPEC 0.55"""
    assert keystore.accounts() == ()
    made = {keystore.create("secret", scrypt=LIGHT_SCRYPT) for _ in range(3)}
    assert len(made) == 3
    (keystore.folder / "notes.json").write_text("{}")
    assert keystore.accounts() == tuple(sorted(made))


def test_a_missing_damaged_or_foreign_file_is_told_apart(keystore: Keystore) -> None:
    """SPEC 0.55"""
    address = keystore.create("secret", KEY, LIGHT_SCRYPT)
    path = keystore.folder / f"{address}.json"
    with pytest.raises(NotFound):
        keystore.load("0x" + "00" * 20, "secret")
    good = path.read_text()
    costly = json.loads(good)
    costly["crypto"]["kdfparams"]["n"] = 2**40
    for damaged in (
        "",
        "{",
        "[]",
        "{}",
        good[:100],
        json.dumps(costly),
        good.replace('"kdf": "scrypt"', '"kdf": "x"'),
    ):
        path.write_text(damaged)
        with pytest.raises(InvalidInput):
            keystore.load(address, "secret")
    other = keystore.folder / ("0x" + "11" * 20 + ".json")
    other.write_text(good)
    other.chmod(0o600)
    with pytest.raises(InvalidInput, match="another account"):
        keystore.load("0x" + "11" * 20, "secret")
    other.unlink()
    other.symlink_to(path)
    with pytest.raises(OSError, match="symbolic link"):
        keystore.load("0x" + "11" * 20, "secret")
