"""The one rendering of messages to token ids, shared by training, evaluation and serving.

If the two sides rendered differently, an adapter would be asked questions in a format that it never saw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inference_worker.base.exchange import Exchange
from inference_worker.base.text_tokens import encode_rendered, encode_text


def render_chat(tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> list[int]:
    """Token ids of a conversation up to and including the opening of the assistant's next turn."""
    return encode_rendered(tokenizer, rendered_chat(tokenizer, messages))


def rendered_chat(tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> str:
    """The same conversation as text."""
    rendered: str = tokenizer.apply_chat_template(
        [dict(m) for m in messages], add_generation_prompt=True, tokenize=False
    )
    return rendered


def render_question(tokenizer: Any, prompt: str) -> list[int]:
    """Token ids of a conversation of one user message."""
    return render_chat(tokenizer, [{"role": "user", "content": prompt}])


def render_answer(tokenizer: Any, completion: str) -> list[int]:
    """Token ids of an assistant answer with the end-of-turn token that stops generation."""
    return [*encode_text(tokenizer, completion), int(tokenizer.eos_token_id)]


def exchange_of(tokenizer: Any, prompt: str, completion: str, max_length: int) -> Exchange:
    """A row as it is trained on: too long, it is cut at the front of the question, so that the answer and the
    end of the question stay.
    """
    question, answer = render_question(tokenizer, prompt), render_answer(tokenizer, completion)
    answer = answer[: max_length - 1]
    return Exchange(tuple(question[-(max_length - len(answer)) :]), tuple(answer))
