"""The golden cases in tests/vectors: inputs and what the rules make of them, for Python and Solidity alike.

Everything is deterministic: inputs come from counters and keccak, outputs from `protocol`. Integers that may
pass 2^53-1 are decimal strings, bytes are 0x-hex, proofs have the field names of the Solidity structs.
"""

from collections.abc import Callable

from node.chain.keccak import keccak
from protocol import merkle
from protocol.epoch_json import root_to_json
from protocol.hashing import to_hex
from protocol.manifest import (
    Row,
    content_digest,
    coverage,
    dedup_digest,
    encode_manifest,
    encode_row,
    manifest_root,
    row_payload,
    rows_root,
)
from protocol.sumtree import SumLeaf, prove_sum, sum_before, sum_root
from protocol.unixfs import CHUNK_BYTES, MAX_LINKS, build
from scripts import vectors_answers, vectors_disputes, vectors_faults, vectors_labour
