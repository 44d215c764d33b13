"""RowHash and LabourHash against the vectors."""

import json

from web3.contract import Contract

from protocol.manifest import GRANTED
from tests.contracts.libraries.conftest import vectors
from tests.contracts.world import World


def word(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def test_rows_hash_as_in_the_vectors(libraries: Contract) -> None:
    """SPEC 1.61: Solidity and Python hash the same row alike."""
    case = vectors("manifest")
    for row, payload in zip(json.loads(case["manifest"])["rows"], case["rowPayloads"], strict=True):
        fields = (
            word(row["digest"]),
            World.checksum(row["owner"]),
            row["cluster"],
            row["consent"] == GRANTED,
        )
        assert libraries.functions.rowPayload(fields).call() == word(payload)


def test_batch_rows_hash_as_in_the_vectors(libraries: Contract) -> None:
    """SPEC 1.65: Solidity and Python hash the same offered row alike."""
    case = vectors("labour")["batch"]
    for digest, payload in zip(case["digests"], case["payloads"], strict=True):
        hashed = libraries.functions.batchRow(World.checksum(case["contributor"]), word(digest)).call()
        assert hashed == word(payload)


def test_labour_hashes_as_in_the_vectors(libraries: Contract) -> None:
    """SPEC 1.77: Solidity and Python hash the same labour alike."""
    for case in vectors("labour")["records"]:
        fields = (
            case["datanetId"],
            World.checksum(case["account"]),
            case["kind"],
            word(case["workCid"]),
            case["parents"],
            case["parentsPpm"],
            int(case["deadline"]),
        )
        assert libraries.functions.hashLabour(fields).call() == word(case["structHash"])
