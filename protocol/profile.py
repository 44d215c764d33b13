"""What a profile id tells without its description: whether its arithmetic can be repeated at all.

An id of repeatable arithmetic is a plain sha256. One that begins with eight zero bytes says that the engine
gives other bits with other requests beside the same one, so that no replay can hold an answer to them.
"""

MARK = bytes(8)


def unrepeatable(digest: bytes) -> bytes:
    """The id of arithmetic that cannot be repeated, from the 32-byte digest of its description."""
    return MARK + digest[len(MARK) :]


def is_repeatable(profile_id: bytes) -> bool:
    """Whether the same profile promises the same bits."""
    return not profile_id.startswith(MARK)


def told(profile_id: bytes) -> str:
    """The same, for whoever reads a receipt."""
    if is_repeatable(profile_id):
        return "the same profile computes the same tokens again"
    return "its engine repeats no bits: that these are the model's tokens rests on the node's word"
