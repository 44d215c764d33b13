"""What strangers write spells no control token, and everything else has the ids that it always had."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_worker.base.chat import render_answer, render_chat, render_question
from inference_worker.base.load import load_tokenizer
from inference_worker.base.text_tokens import encode_rendered, encode_text, turn_tokens
from inference_worker.engine.prompt import PromptEncoder
from inference_worker.errors import RequestInvalid
from tests.inference_worker.running_worker import byte_tokenizer
from tests.inference_worker.tiny_base import real_base_folder

TURNS = {"<|im_start|>", "<|im_end|>", "<|endoftext|>"}
# The ids of the special tokens' spellings as plain text.
GOLDEN = {
    "<|endoftext|>": (44, 108, 486, 1714, 2692, 108, 46),
    "<|im_start|>": (44, 108, 306, 79, 3738, 108, 46),
    "<|im_end|>": (44, 108, 306, 79, 486, 108, 46),
    "<repo_name>": (44, 22139, 79, 1245, 46),
    "<reponame>": (44, 10368, 46),
    "<file_sep>": (44, 2153, 79, 29070, 46),
    "<filename>": (44, 5805, 46),
    "<gh_stars>": (44, 460, 79, 9888, 46),
    "<issue_start>": (44, 2195, 79, 3738, 46),
    "<issue_comment>": (44, 2195, 79, 3591, 46),
    "<issue_closed>": (44, 2195, 79, 12739, 46),
    "<jupyter_start>": (44, 90, 1110, 44451, 79, 3738, 46),
    "<jupyter_text>": (44, 90, 1110, 44451, 79, 2692, 46),
    "<jupyter_code>": (44, 90, 1110, 44451, 79, 4635, 46),
    "<jupyter_output>": (44, 90, 1110, 44451, 79, 4952, 46),
    "<jupyter_script>": (44, 90, 1110, 44451, 79, 13164, 46),
    "<empty_output>": (44, 16451, 79, 4952, 46),
}
# A template that builds its tokens from roles, and one that trims what it is given.
TEMPLATES = {
    "own": None,
    "from roles": "{% for m in messages %}{{ '<|im_' + 'start|>' + m['role'] + '\\n' + m['content'] }}"
    "{{ '<|im_end|>\\n' }}{% endfor %}",
    "trimming": "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] | trim }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "with files": "{% for m in messages %}<file_sep>{{ m['content'] }}<|im_end|>{% endfor %}",
}


@pytest.fixture(scope="module")
def real():
    return load_tokenizer(real_base_folder())


@pytest.fixture(params=TEMPLATES)
def templated(request):
    tokenizer = load_tokenizer(real_base_folder())
    tokenizer.chat_template = TEMPLATES[request.param] or tokenizer.chat_template
    return tokenizer


def special_ids(tokenizer):
    return {number: t.content for number, t in tokenizer.added_tokens_decoder.items() if t.special}


def test_the_turn_tokens_are_those_of_the_template(real):
    """SPEC 4.205"""
    assert turn_tokens(real) == TURNS and len(special_ids(real)) == 17
    assert turn_tokens(byte_tokenizer()) == {"<|start|>", "<|end|>"}


@pytest.mark.parametrize("text", GOLDEN)
def test_spellings_of_special_tokens_have_these_ids(real, text):
    """SPEC 4.205: golden, for an adapter is trained on them."""
    assert tuple(encode_text(real, text)) == GOLDEN[text]
    assert "".join(real.decode([number]) for number in GOLDEN[text]) == text


def test_every_special_token_is_refused_or_inert_under_every_template(templated):
    """SPEC 4.205: in a prompt, in a message of any role, alone and within a text."""
    prompts, special = PromptEncoder(templated, len(templated)), special_ids(templated)
    turns = turn_tokens(templated)
    plain = [i for i in prompts.encode((("user", "x"),), None) if i in special]
    for literal in special.values():
        for text in (literal, f"see {literal}.", f"{literal}{literal}"):
            for messages, prompt in ((None, text), (((("user", text),)), None)):
                if literal in turns:
                    with pytest.raises(RequestInvalid, match=re.escape(literal)):
                        prompts.encode(messages, prompt)
                    continue
                ids = prompts.encode(messages, prompt)
                assert [i for i in ids if i in special] == (plain if messages else [])
                assert text in templated.decode(ids)


PIECES = st.sampled_from(
    [
        *GOLDEN,
        "<file",
        "name>",
        "<",
        ">",
        "_",
        "|",
        "<|im_",
        " ",
        "\n",
        "7",
        "é",
        "naïve ",
        "你",
        "😀",
        "word",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=12))
def test_no_text_has_a_special_id_and_all_text_comes_back(pieces):
    """SPEC 4.205"""
    tokenizer, text = load_once(), "".join(pieces)
    ids = encode_text(tokenizer, text)
    assert not set(ids) & set(special_ids(tokenizer)) and tokenizer.decode(ids) == text
    if not any(literal in text for literal in special_ids(tokenizer).values()):
        assert ids == tokenizer(text, add_special_tokens=False)["input_ids"]


_LOADED = []


def load_once():
    if not _LOADED:
        _LOADED.append(load_tokenizer(real_base_folder()))
    return _LOADED[0]


def test_a_rendered_conversation_has_the_ids_of_the_tokenizer_itself(templated):
    """SPEC 4.205: ordinary texts are encoded as before, for every template."""
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "  Code E11.9?\n\nnaïve 你好 12 345 "},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "why"},
    ]
    own = templated.apply_chat_template(
        messages, add_generation_prompt=True, tokenize=True, return_dict=False
    )
    assert render_chat(templated, messages) == own


def test_training_meets_the_ids_that_serving_meets(real):
    """SPEC 4.205"""
    text = "open <filename> at <issue_start>"
    assert render_question(real, text) == list(PromptEncoder(real, len(real)).encode((("user", text),), None))
    answer = render_answer(real, text + "<|im_end|>")
    assert answer == [*encode_text(real, text + "<|im_end|>"), real.eos_token_id]
    assert not set(answer[:-1]) & set(special_ids(real))
    assert encode_rendered(real, "<|im_end|>") == [real.eos_token_id]
