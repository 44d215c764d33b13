"""Readers and bounds that several node-worker messages share."""

from protocol.cid import parse_cid
from protocol.errors import CidError, WireError
from protocol.fields import Fields
from protocol.types import MAX_UINT32

VERSION = 1
NAME = r"[A-Za-z0-9_.:-]+"
DIGEST = r"0x[0-9a-f]{64}"
MAX_FENCE = 2**53 - 1
MAX_TOKENS = 1 << 17
MAX_TEXT = 1 << 20


def opened(value: object, where: str) -> Fields:
    """The fields of a message, after its version."""
    fields = Fields(value, where, WireError)
    fields.integer("v", VERSION, VERSION)
    return fields


def read_cid(fields: Fields, name: str) -> str:
    """A CID in its one spelling."""
    text = fields.text(name, 59)
    try:
        return parse_cid(text).text
    except CidError as error:
        raise fields.wrong(name, str(error)) from error


def optional_cid(fields: Fields, name: str) -> str | None:
    """A CID, or None where the field is null or missing."""
    return None if fields.absent(name) else read_cid(fields, name)


def token_ids(fields: Fields, name: str) -> tuple[int, ...]:
    """A list of token ids."""
    return fields.integers(name, MAX_TOKENS, 0, MAX_UINT32)
