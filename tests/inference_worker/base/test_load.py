import shutil
from pathlib import Path

import pytest
import torch

from inference_worker.base.chat import render_answer, render_chat, render_question
from inference_worker.base.load import Base, load_base, load_tokenizer
from inference_worker.errors import BaseModelInvalid
from tests.inference_worker.tiny_base import real_base_folder


def test_a_changed_file_is_refused(tiny_base_dir: Path, tmp_path: Path) -> None:
    """SPEC 2.21"""
    shutil.copytree(tiny_base_dir, tmp_path / "base")
    config = tmp_path / "base" / "config.json"
    config.write_text(config.read_text() + " ")
    with pytest.raises(BaseModelInvalid, match="fingerprint"):
        load_base(tmp_path / "base")


def test_a_loaded_base_is_frozen_fp32(tiny_base_dir: Path) -> None:
    """SPEC 2.21"""
    base = load_base(tiny_base_dir)
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in base.model.parameters())
    assert base.fingerprint.startswith("0x") and len(base.fingerprint) == 66


def test_digits_are_single_tokens() -> None:
    """SPEC 2.22: the reference tokenizer of this base splits every digit, also after white space."""
    tokenizer = load_tokenizer(real_base_folder())
    for text in (" E11.9", "a 1234", "\n2026 07"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert all(sum(c.isdigit() for c in tokenizer.decode([i])) <= 1 for i in ids)
        assert tokenizer.decode(ids) == text


def test_rendering_ends_where_the_assistant_begins(tiny_base: Base) -> None:
    """SPEC 2.22"""
    question = render_question(tiny_base.tokenizer, "Which code?")
    text = tiny_base.tokenizer.decode(question)
    assert text.endswith("<|im_start|>assistant\n") and "Which code?" in text
    both = render_chat(
        tiny_base.tokenizer,
        [
            {"role": "user", "content": "Which code?"},
            {"role": "assistant", "content": " E11.9"},
            {"role": "user", "content": "And now?"},
        ],
    )
    answer = render_answer(tiny_base.tokenizer, " E11.9")
    # What training teaches is literally what a later turn of the same conversation contains.
    assert both[: len(question) + len(answer)] == question + answer


def test_the_real_base_answers(real_base: Base) -> None:
    """SPEC 2.22"""
    ids = render_question(real_base.tokenizer, "What is the capital of France? Answer in one word.")
    with torch.no_grad():
        out = real_base.model.generate(torch.tensor([ids]), max_new_tokens=12, do_sample=False)[0][len(ids) :]
    assert "Paris" in real_base.tokenizer.decode(out)
