"""Logprobs in the two OpenAI forms: a list of objects for chat, parallel lists for text. Pure."""

from collections.abc import Sequence

from node.serving.live import Token
from protocol.logprobs import ScoredToken


def chat_logprobs(tokens: Sequence[Token]) -> dict[str, object]:
    """`{"content": […], "refusal": null}`; tokens without scores are left out."""
    scored = [token.scores for token in tokens if token.scores is not None]
    content = [
        {**_entry(scores.chosen), "top_logprobs": [_entry(one) for one in scores.top]} for scores in scored
    ]
    return {"content": content, "refusal": None}


def text_logprobs(tokens: Sequence[Token], offset: int) -> dict[str, object]:
    """Parallel lists; `offset` is how many characters of text came before the first of the tokens."""
    offsets, at = [], offset
    for token in tokens:
        if token.scores is not None:
            offsets.append(at)
        at += len(token.text)
    scored = [token.scores for token in tokens if token.scores is not None]
    return {
        "tokens": [_name(scores.chosen) for scores in scored],
        "token_logprobs": [scores.chosen.logprob for scores in scored],
        "top_logprobs": [{_name(one): one.logprob for one in reversed(scores.top)} for scores in scored],
        "text_offset": offsets,
    }


def _entry(one: ScoredToken) -> dict[str, object]:
    text = one.data.decode("utf-8", "replace")
    return {"token": text, "logprob": one.logprob, "bytes": list(one.data)}


def _name(one: ScoredToken) -> str:
    # Parts of characters would all be the same replacement mark, and these names are keys.
    try:
        return one.data.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in one.data)
