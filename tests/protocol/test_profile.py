"""Which profile ids promise the same bits."""

from protocol.profile import MARK, is_repeatable, told, unrepeatable

DIGEST = bytes(range(1, 33))


def test_an_id_shows_whether_its_arithmetic_can_be_repeated() -> None:
    """SPEC 4.199: with the mark or without it there are 32 bytes, and other digests stay apart."""
    marked = unrepeatable(DIGEST)
    assert is_repeatable(DIGEST) and not is_repeatable(marked)
    assert len(marked) == 32 and marked[len(MARK) :] == DIGEST[len(MARK) :]
    assert unrepeatable(DIGEST[::-1]) != marked
    assert told(DIGEST) != told(marked)
