"""Our tokenizer gives the ids of another implementation of the same vocabulary: llama.cpp, from the file that
the base was made of. `scripts/golden_tokens.py` wrote them.
"""

import json
from pathlib import Path

import pytest

from inference_worker.base.chat import render_chat
from inference_worker.base.load import load_tokenizer
from inference_worker.base.text_tokens import encode_text
from tests.inference_worker.tiny_base import real_base_folder

GOLDEN = json.loads((Path(__file__).parent / "tokens_of_llama_cpp.json").read_text("ascii"))


@pytest.fixture(scope="module")
def real():
    return load_tokenizer(real_base_folder())


def test_every_text_has_the_ids_of_the_other_implementation(real):
    """SPEC 2.22, 4.205: digits after white space, all scripts, and spellings of control tokens as text."""
    assert len(GOLDEN) > 400
    differing = [text for text, ids in GOLDEN if encode_text(real, text) != ids]
    assert differing == []
    assert all(real.decode(ids) == text for text, ids in GOLDEN)


SYSTEM = [
    *(1, 9690, 198, 2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018, 411, 407, 19712),
    8182,
]
CONVERSATIONS = {
    "the base's own system turn": (
        [("user", "Code E11.9?")],
        [*SYSTEM, 2, 198, 1, 4093, 198, 15832, 414, 33, 33, 30, 41, 47, 2, 198, 1, 520, 9531, 198],
    ),
    "all roles": (
        [("system", "Be brief."), ("user", "a\n 12"), ("assistant", "é"), ("user", "")],
        [
            *(1, 9690, 198, 6077, 5453, 30, 2, 198, 1, 4093, 198, 81, 3805, 33, 34, 2, 198, 1, 520, 9531),
            *(198, 2756, 2, 198, 1, 4093, 198, 2, 198, 1, 520, 9531, 198),
        ],
    ),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_rendering_of_a_conversation_is_fixed(real, name):
    """SPEC 2.22: an adapter is trained on these ids, so that they may not move."""
    messages, expected = CONVERSATIONS[name]
    assert render_chat(real, [{"role": role, "content": text} for role, text in messages]) == expected
