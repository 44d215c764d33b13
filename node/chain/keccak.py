"""keccak256, the function that the node hands to `protocol`; in C where that is installed."""

import importlib.util
import os

# eth_hash picks its backend at first use; the C one is five times faster than pycryptodome on short inputs.
if importlib.util.find_spec("sha3") is not None:
    os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")

from eth_hash.auto import keccak as _keccak


def keccak(data: bytes) -> bytes:
    """The 32-byte keccak256 digest (the pre-standard padding, as Ethereum uses it)."""
    return _keccak(data)
