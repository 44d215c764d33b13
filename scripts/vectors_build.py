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
from scripts import (
    vectors_answers,
    vectors_disputes,
    vectors_faults,
    vectors_index,
    vectors_influence,
    vectors_labour,
    vectors_sampling,
)
from scripts.vectors_samples import Case, leaf_json, merkle_proof_json, proof_json, sample_manifest, word

SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 13)


def vectors() -> dict[str, Callable[[], Case]]:
    """File stem to its builder."""
    return {
        "merkle": _merkle,
        "sumtree": _sumtree,
        "receipt": vectors_answers.receipt,
        "voucher": vectors_answers.voucher,
        "attribution": vectors_answers.attribution,
        "faults": vectors_faults.faults,
        "influence": vectors_influence.influence,
        "split": vectors_answers.split,
        "epoch": vectors_answers.epoch,
        "unixfs": _unixfs,
        "manifest": _manifest,
        "sampling": vectors_sampling.sampling,
        "disputes": vectors_disputes.disputes,
        "labour": vectors_labour.labour,
        "index": vectors_index.index,
    }


def _merkle() -> Case:
    cases = []
    for count in SIZES:
        payloads = [word(f"payload {place}") for place in range(count)]
        proofs = [merkle.prove(payloads, place, keccak) for place in range(count)]
        cases.append(
            {
                "payloads": [to_hex(payload) for payload in payloads],
                "root": to_hex(merkle.root(payloads, keccak)),
                "proofs": [merkle_proof_json(proof) for proof in proofs],
            }
        )
    return {"empty": to_hex(merkle.EMPTY_ROOT), "cases": cases}


def _sumtree() -> Case:
    cases = []
    for count in SIZES:
        leaves = [SumLeaf(word(f"key {place}"), place * 10**18 + place % 3) for place in range(count)]
        proofs = [prove_sum(leaves, place, keccak) for place in range(count)]
        cases.append(
            {
                "leaves": [leaf_json(leaf) for leaf in leaves],
                "root": root_to_json(sum_root(leaves, keccak)),
                "proofs": [proof_json(proof) for proof in proofs],
                "before": [str(sum_before(proof)) for proof in proofs],
            }
        )
    return {"empty": root_to_json(sum_root([], keccak)), "cases": cases}


def _unixfs() -> Case:
    cases = []
    for size in (0, 1, 1000, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 17):
        dag = build(_bytes(size))
        cases.append({"size": size, "cid": dag.root.text, "blocks": len(dag.blocks), "tsize": dag.tsize})
    for size in (MAX_LINKS * 16, MAX_LINKS * 16 + 1, MAX_LINKS * MAX_LINKS * 16 + 1):
        dag = build(_bytes(size), chunk_bytes=16)
        cases.append(
            {"size": size, "chunk": 16, "cid": dag.root.text, "blocks": len(dag.blocks), "tsize": dag.tsize}
        )
    return {"content": "byte i is (7 * i + i // 256) mod 256", "cases": cases}


def _bytes(size: int) -> bytes:
    return bytes((7 * place + place // 256) % 256 for place in range(size))


def _manifest() -> Case:
    manifest = sample_manifest()
    plain, gated = Row("qa", "Ähnlich  “ﬁ”\n", "B\u00a020", {"b": "1", "a": "2"}), Row("note", "", "text", {})
    return {
        "rows": [
            {
                "json": encode_row(row).decode("utf-8"),
                "salt": to_hex(salt),
                "contentDigest": to_hex(content_digest(row, salt)),
                "dedupDigest": to_hex(dedup_digest(row)),
            }
            for row, salt in ((plain, b""), (gated, word("salt")))
        ],
        "manifest": encode_manifest(manifest).decode("utf-8"),
        "cid": build(encode_manifest(manifest)).root.text,
        "root": to_hex(manifest_root(manifest, keccak)),
        "rowsRoot": to_hex(rows_root(manifest, keccak)),
        "rowPayloads": [to_hex(row_payload(row, keccak)) for row in manifest.rows],
        "proofs": [
            [
                to_hex(node)
                for node in merkle.prove(
                    [bytes.fromhex(row.digest[2:]) for row in manifest.rows], row.index, keccak
                ).path
            ]
            for row in manifest.rows
        ],
        "coverage": {owner: ppm for owner, ppm in coverage(manifest).items()},
    }
