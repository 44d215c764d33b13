"""Encrypted key files (Web3 Secret Storage, version 3), one per account: `<folder>/<address>.json`.

Files are mode 0600 in a folder of mode 0700, and one that others can read is refused. Scrypt at the standard
cost takes about a second and 256 MiB a try; `LIGHT_SCRYPT` is for development accounts only.
"""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_keyfile.keyfile import create_keyfile_json, decode_keyfile_json

from node.chain.signer import Signer, signer_of
from node.errors import Conflict, InvalidInput, NotFound, Refused
from protocol.canonical import parse_json
from protocol.errors import EncodingError, JsonError
from protocol.types import Address, parse_address

STANDARD_SCRYPT = 2**18
LIGHT_SCRYPT = 2**12
MAX_SCRYPT = 2**20
MAX_FILE_BYTES = 64 * 1024
PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
OTHERS = 0o077


class WrongPassword(Refused):
    """The password does not open the key file."""


class KeyFileExposed(Refused):
    """Other users of this machine can read the key file."""


@dataclass(frozen=True)
class Keystore:
    """A folder of key files."""

    folder: Path

    def create(
        self, password: str, private_key: bytes | None = None, scrypt: int = STANDARD_SCRYPT
    ) -> Address:
        """Makes a key, or takes one in, and writes its file; `scrypt` is the cost N. Never overwrites."""
        signer = signer_of(private_key if private_key is not None else secrets.token_bytes(32))
        key = private_key if private_key is not None else signer._key.to_bytes()
        content = create_keyfile_json(key, _secret(password), kdf="scrypt", iterations=scrypt)
        self.folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
        os.chmod(self.folder, PRIVATE_FOLDER)
        _write_once(self._path(signer.address), json.dumps(content).encode("utf-8"))
        return signer.address

    def load(self, address: str, password: str) -> Signer:
        """The signer of an account. Raises NotFound, KeyFileExposed, WrongPassword or InvalidInput."""
        path = self._path(parse_address(address))
        content = _read_private(path)
        try:
            key = decode_keyfile_json(content, _secret(password))
        except (ValueError, KeyError, TypeError) as error:
            if str(error) == "MAC mismatch":
                raise WrongPassword("wrong password", account=address) from None
            raise InvalidInput("the key file is damaged", path=str(path)) from error
        signer = signer_of(bytes(key))
        if signer.address != parse_address(address):
            raise InvalidInput("the key file holds another account", expected=address, actual=signer.address)
        return signer

    def accounts(self) -> tuple[Address, ...]:
        """The accounts that have a file, sorted."""
        found = []
        for path in self.folder.glob("*.json") if self.folder.is_dir() else ():
            try:
                found.append(parse_address(path.stem))
            except EncodingError:
                continue
        return tuple(sorted(found))

    def _path(self, address: Address) -> Path:
        return self.folder / f"{address}.json"


def _secret(password: str) -> Any:
    # The library is annotated for str, but then encodes as Latin-1, which other tools' files do not.
    return password.encode("utf-8")


def _write_once(path: Path, content: bytes) -> None:
    # Written aside and linked into place: a crash leaves no half key file, and link never replaces one.
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)
    except FileExistsError as error:
        raise Conflict("the account already has a key file", path=str(path)) from error
    finally:
        aside.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read_private(path: Path) -> dict[str, Any]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError as error:
        raise NotFound("no key file for this account", path=str(path)) from error
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & OTHERS:
            raise KeyFileExposed("others can read the key file", path=str(path), mode=oct(mode & 0o777))
        content = file.read(MAX_FILE_BYTES + 1)
    try:
        body = parse_json(content, MAX_FILE_BYTES)
    except JsonError:
        body = None
    if not isinstance(body, dict) or not _is_bearable(body):
        raise InvalidInput("the key file is damaged", path=str(path))
    return body


def _is_bearable(body: dict[str, Any]) -> bool:
    """Refuses a file whose stated scrypt cost would exhaust the machine's memory."""
    crypto = body.get("crypto", body.get("Crypto"))
    params = crypto.get("kdfparams") if isinstance(crypto, dict) else None
    if not isinstance(params, dict):
        return False
    cost = params.get("n", 1)
    return isinstance(cost, int) and cost <= MAX_SCRYPT
