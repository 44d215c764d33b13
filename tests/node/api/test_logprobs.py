"""Logprobs in the two OpenAI forms."""

from node.api.logprobs import chat_logprobs, text_logprobs
from node.serving.live import Token
from protocol.logprobs import ScoredToken, TokenScores

CUT = ScoredToken(7, -0.5, b"\xc3")
REST = ScoredToken(8, -0.25, b"\xa9!")
TOKENS = [
    Token("Caf", 3, TokenScores(ScoredToken(3, -1.0, b"Caf"), (ScoredToken(3, -1.0, b"Caf"), CUT))),
    Token("", 7, TokenScores(CUT, ())),
    Token("é!", 8, TokenScores(REST, (REST,))),
    Token("", 2),
]


def test_chat_entries_carry_text_and_bytes():
    """SPEC 4.147"""
    content = chat_logprobs(TOKENS)["content"]
    assert [one["logprob"] for one in content] == [-1.0, -0.5, -0.25]
    assert content[1] == {"token": "\ufffd", "logprob": -0.5, "bytes": [0xC3], "top_logprobs": []}
    assert bytes(byte for one in content for byte in one["bytes"]).decode() == "Café!"
    assert [top["token"] for top in content[0]["top_logprobs"]] == ["Caf", "\ufffd"]


def test_text_lists_are_parallel_and_offsets_count_characters():
    """SPEC 4.147"""
    lists = text_logprobs(TOKENS, 10)
    assert lists["tokens"] == ["Caf", "bytes:\\xc3", "bytes:\\xa9\\x21"]
    assert lists["token_logprobs"] == [-1.0, -0.5, -0.25]
    assert lists["text_offset"] == [10, 13, 13]
    assert lists["top_logprobs"] == [{"Caf": -1.0, "bytes:\\xc3": -0.5}, {}, {"bytes:\\xa9\\x21": -0.25}]
