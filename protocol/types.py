"""Ids and units. All are plain ints or strings at run time; the names keep them apart for the checker."""

import re
from typing import NewType

from protocol.errors import EncodingError

Address = NewType("Address", str)
"""0x and 40 lower-case hex digits; checksums exist only at the chain's border."""
DatanetId = NewType("DatanetId", int)
Version = NewType("Version", int)
"""Version of a Datanet, counted from 1 within it; 0 says "none"."""
EpochNumber = NewType("EpochNumber", int)

TOTAL_PPM = 1_000_000
MAX_WEI = 2**128 - 1
MAX_UINT64 = 2**64 - 1
MAX_UINT32 = 2**32 - 1
VERSION_BITS = 64

ZERO_ADDRESS = Address("0x" + "00" * 20)

_ADDRESS = re.compile(r"0x[0-9a-f]{40}")


def parse_address(text: str) -> Address:
    """The lower-case form of a hex address; EncodingError when it is not one."""
    lowered = text.lower()
    if _ADDRESS.fullmatch(lowered) is None:
        raise EncodingError(f"not an address: {text[:80]!r}")
    return Address(lowered)


def version_key(datanet: int, version: int) -> int:
    """One number for (Datanet, version): the id above 64 bits of version."""
    if not 0 <= version <= MAX_UINT64 or not 0 <= datanet < 2**192:
        raise EncodingError(f"datanet {datanet} version {version} does not fit a version key")
    return (datanet << VERSION_BITS) | version


def split_version_key(key: int) -> tuple[DatanetId, Version]:
    """The inverse of `version_key`."""
    if not 0 <= key < 2**256:
        raise EncodingError(f"{key} is not a version key")
    return DatanetId(key >> VERSION_BITS), Version(key & MAX_UINT64)
