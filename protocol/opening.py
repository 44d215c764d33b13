"""What a receipt's prompt digest and output root hide: the tokens, for whoever paid for them to show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from protocol.context import Context, read_context
from protocol.errors import ContextError
from protocol.fields import Fields
from protocol.hashing import Keccak, to_hex
from protocol.receipt import Receipt, output_root, prompt_digest
from protocol.wire_fields import VERSION, opened, token_ids


@dataclass(frozen=True, slots=True)
class Opening:
    """Token ids of a question and its answer, the digest of how the answer was drawn, and the prompt's salt
    (both 32 bytes). `context` says where rows of the Datanet stood in the question; no digest binds it, the
    rows' own tokens do.
    """

    prompt_ids: tuple[int, ...]
    output_ids: tuple[int, ...]
    sampling: bytes
    salt: bytes
    context: Context | None = None

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "v": VERSION,
            "prompt_ids": list(self.prompt_ids),
            "output_ids": list(self.output_ids),
            "sampling": to_hex(self.sampling),
            "salt": to_hex(self.salt),
            "context": None if self.context is None else self.context.to_json(),
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The record this object spells; WireError."""
        fields: Fields = opened(value, "opening")
        opening = cls(
            token_ids(fields, "prompt_ids"),
            token_ids(fields, "output_ids"),
            fields.hexadecimal("sampling", 32),
            fields.hexadecimal("salt", 32),
            read_context(fields, "context"),
        )
        try:
            if opening.context is not None:
                opening.context.check(opening.prompt_ids)
        except ContextError as error:
            raise fields.wrong("context", str(error)) from error
        fields.done()
        return opening


def opening_faults(receipt: Receipt, opening: Opening, keccak: Keccak) -> Sequence[str]:
    """Which of the receipt's digests and counts the opening does not open; none where it is the receipt's."""
    prompt = prompt_digest(opening.prompt_ids, opening.sampling, opening.salt, keccak)
    faults = (
        ("prompt digest", prompt != receipt.prompt_digest),
        ("output root", output_root(opening.output_ids, keccak) != receipt.output_root),
        ("prompt tokens", len(opening.prompt_ids) != receipt.prompt_tokens),
        ("output tokens", len(opening.output_ids) != receipt.output_tokens),
    )
    return [name for name, wrong in faults if wrong]
