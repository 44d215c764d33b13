"""The key file gives its key back to the right password, and nothing to anybody else."""

import json
import stat
from pathlib import Path

import pytest

from node.blobs.encryption_key import EncryptionKeyUnusable, create_encryption_key, load_encryption_key


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "encryption.key"


def test_the_key_comes_back_and_only_its_owner_may_read_the_file(key_file: Path) -> None:
    """SPEC 1.13"""
    created = create_encryption_key(key_file, "correct horse")
    loaded = load_encryption_key(key_file, "correct horse")
    assert loaded.private_bytes_raw() == created.private_bytes_raw()
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert created.private_bytes_raw().hex() not in key_file.read_text()


def test_another_password_opens_nothing(key_file: Path) -> None:
    """SPEC 1.13"""
    create_encryption_key(key_file, "correct horse")
    with pytest.raises(EncryptionKeyUnusable, match="wrong password"):
        load_encryption_key(key_file, "battery staple")


def test_an_existing_key_is_never_overwritten(key_file: Path) -> None:
    """SPEC 1.13"""
    create_encryption_key(key_file, "first")
    before = key_file.read_bytes()
    with pytest.raises(EncryptionKeyUnusable, match="exists"):
        create_encryption_key(key_file, "second")
    assert key_file.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        {"n": 2**40},
        {"n": 1},
        {"n": 2**15 + 1},
        {"public": "00" * 32},
        {"nonce": "zz"},
        {"salt": None},
        {"format": "v9"},
    ],
)
def test_a_changed_file_is_refused_without_costing_memory(key_file: Path, change: dict[str, object]) -> None:
    """SPEC 1.13"""
    create_encryption_key(key_file, "pass")
    key_file.write_text(json.dumps(json.loads(key_file.read_text()) | change))
    with pytest.raises(EncryptionKeyUnusable):
        load_encryption_key(key_file, "pass")


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\xff\xfe", b"{" * 10_000])
def test_any_other_file_is_refused(key_file: Path, content: bytes) -> None:
    """SPEC 1.13"""
    key_file.write_bytes(content)
    with pytest.raises(EncryptionKeyUnusable):
        load_encryption_key(key_file, "pass")
