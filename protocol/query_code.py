"""The code of one answer as bytes, and the exact integer score that a row of an index has under it.

checkpoints u8, width u32, losses u16; a weight u32 for each checkpoint, and one for the losses where there
are any; int8 codes by checkpoint, then those of the losses. Its sha256 is what a report binds, so the code
is found under the CID of the same digest. Solidity twin: contracts/libraries/ScoreMath.sol.
"""

from dataclasses import dataclass
from functools import lru_cache

from protocol.errors import EncodingError
from protocol.index_pages import FLAG_DECOY, FLAG_INFORMATIVE, CodeShape
from protocol.types import MAX_UINT32

HEAD_BYTES = 7
MAX_CODE_BYTES = 1 << 18
ROW_BYTES = 5
NIBBLE_ZERO = 8


@dataclass(frozen=True, slots=True)
class CodeBytes:
    """int8 codes by checkpoint with their weights, and the code of the losses (empty without)."""

    weights: tuple[int, ...]
    codes: tuple[bytes, ...]
    loss_weight: int = 0
    losses: bytes = b""

    @property
    def shape(self) -> CodeShape:
        """What rows this code can score; EncodingError where it is none."""
        widths = {len(code) for code in self.codes}
        if len(widths) != 1 or len(self.codes) != len(self.weights):
            raise EncodingError(f"{len(self.weights)} weights for codes of widths {sorted(widths)}")
        return CodeShape(len(self.codes), widths.pop(), len(self.losses))

    def encode(self) -> bytes:
        """The bytes whose sha256 a report binds."""
        shape = self.shape
        weights = self.weights + ((self.loss_weight,) if self.losses else ())
        if any(not 0 <= weight <= MAX_UINT32 for weight in weights):
            raise EncodingError(f"weights {weights} are not all of 32 bits")
        head = shape.checkpoints.to_bytes(1, "big") + shape.width.to_bytes(4, "big")
        head += shape.losses.to_bytes(2, "big")
        return head + b"".join(w.to_bytes(4, "big") for w in weights) + b"".join(self.codes) + self.losses


def decode_code(data: bytes) -> CodeBytes:
    """The inverse of `encode`; EncodingError for anything that it would not have written."""
    if not HEAD_BYTES < len(data) <= MAX_CODE_BYTES:
        raise EncodingError(f"a query code of {len(data)} bytes")
    shape = CodeShape(data[0], int.from_bytes(data[1:5], "big"), int.from_bytes(data[5:7], "big"))
    weights = shape.checkpoints + bool(shape.losses)
    begin = HEAD_BYTES + 4 * weights
    end = begin + shape.checkpoints * shape.width
    if len(data) != end + shape.losses:
        raise EncodingError(f"a query code of {len(data)} bytes where its head says {end + shape.losses}")
    numbers = [int.from_bytes(data[at : at + 4], "big") for at in range(HEAD_BYTES, begin, 4)]
    return CodeBytes(
        tuple(numbers[: shape.checkpoints]),
        tuple(data[at : at + shape.width] for at in range(begin, end, shape.width)),
        numbers[-1] if shape.losses else 0,
        data[end:],
    )


def is_code(data: bytes) -> bool:
    """Whether `decode_code` reads these bytes."""
    try:
        decode_code(data)
    except EncodingError:
        return False
    return True


def row_of(record: bytes) -> int:
    """The number that a record gives its row."""
    return int.from_bytes(record[:4], "big")


def may_earn(record: bytes) -> bool:
    """Whether a record is of a row that may earn: informative, and no decoy."""
    return record[4] & (FLAG_INFORMATIVE | FLAG_DECOY) == FLAG_INFORMATIVE


def score_of(code: CodeBytes, record: bytes) -> int | None:
    """The exact score of a row's record; None where it has another shape."""
    shape = code.shape
    if len(record) != shape.record_bytes():
        return None
    size = 2 + shape.width // 8
    total = 0
    for number, (weight, values) in enumerate(zip(code.weights, code.codes, strict=True)):
        part = record[ROW_BYTES + number * size : ROW_BYTES + (number + 1) * size]
        total += weight * int.from_bytes(part[:2], "big") * _signed_sum(values, part[2:])
    if shape.losses:
        tail = record[ROW_BYTES + shape.checkpoints * size :]
        nibbles = (half for byte in tail[2:] for half in (byte >> 4, byte & 15))
        moved = sum(
            (nibble - NIBBLE_ZERO) * _int8(value) for nibble, value in zip(nibbles, code.losses, strict=True)
        )
        total += code.loss_weight * int.from_bytes(tail[:2], "big") * moved
    return total


def _signed_sum(values: bytes, signs: bytes) -> int:
    """Twice the sum over set bits less the sum of all, by counting bits in the planes of two's complement."""
    bits = int.from_bytes(signs, "big")
    planes, whole = _planes(values)
    counts = [(bits & plane).bit_count() << power for power, plane in enumerate(planes)]
    return 2 * (sum(counts[:7]) - counts[7]) - whole


@lru_cache(maxsize=64)
def _planes(values: bytes) -> tuple[tuple[int, ...], int]:
    """Bit `power` of all numbers as one number, for each power, coordinate 0 highest; and their sum."""
    planes = (int("".join(str(value >> power & 1) for value in values), 2) for power in range(8))
    return tuple(planes), sum(map(_int8, values))


def _int8(value: int) -> int:
    return value - 256 if value >> 7 else value
