"""Golden cases of an attribution index: rows' codes, their packed records, payloads, root and proofs."""

from node.chain.keccak import keccak
from protocol.hashing import sha256, to_hex
from protocol.index_pages import (
    FLAG_DECOY,
    FLAG_INFORMATIVE,
    CodeShape,
    RowCodes,
    head_payload,
    index_root,
    row_payload,
)
from scripts.vectors_samples import Case, merkle_proof_json, word

SHAPES = (CodeShape(1, 64), CodeShape(3, 1024), CodeShape(3, 1024, 48))
ROWS = 5


def index() -> Case:
    """One index of each shape: two decoys, then three rows."""
    return {"cases": [_case(shape) for shape in SHAPES]}


def _case(shape: CodeShape) -> Case:
    listing = sha256(b"listing")
    codes = [_codes(shape, place) for place in range(ROWS)]
    records = [one.record() for one in codes]
    root, proofs = index_root(listing, records, range(ROWS), keccak)
    return {
        "checkpoints": shape.checkpoints,
        "width": shape.width,
        "losses": shape.losses,
        "listingDigest": to_hex(listing),
        "headPayload": to_hex(head_payload(listing, keccak)),
        "root": to_hex(root),
        "rows": [
            {
                "row": one.row,
                "flags": one.flags,
                "magnitudes": list(one.magnitudes),
                "signs": [to_hex(signs) for signs in one.signs],
                "lossMagnitude": one.loss_magnitude,
                "losses": to_hex(one.losses),
                "record": to_hex(record),
                "payload": to_hex(row_payload(record, keccak)),
                "proof": merkle_proof_json(proof),
            }
            for one, record, proof in zip(codes, records, proofs, strict=True)
        ],
    }


def _codes(shape: CodeShape, place: int) -> RowCodes:
    def draw(what: str, size: int) -> bytes:
        blocks = (word(f"{what} {place} {at}") for at in range(-(-size // 32)))
        return b"".join(blocks)[:size]

    points = range(shape.checkpoints)
    return RowCodes(
        place if place < 2 else 7 * place,
        FLAG_DECOY if place < 2 else FLAG_INFORMATIVE,
        tuple(int.from_bytes(draw(f"magnitude {n}", 2), "big") for n in points),
        tuple(draw(f"signs {n}", shape.width // 8) for n in points),
        int.from_bytes(draw("loss magnitude", 2), "big") if shape.losses else 0,
        draw("losses", shape.losses // 2),
    )
