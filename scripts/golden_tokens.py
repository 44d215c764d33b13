"""Writes the token ids that llama.cpp gives the base's vocabulary: what our own tokenizer is compared with.

Run by the interpreter of llama.cpp's bench environment, which `make bench-openlora` installs:
.tools/bench/llama/bin/python scripts/golden_tokens.py MODEL.gguf
"""

import json
import random
import sys
from pathlib import Path

from llama_cpp import Llama

TARGET = Path(__file__).resolve().parent.parent / "tests/inference_worker/base/tokens_of_llama_cpp.json"
PIECES = (
    "the", "Code", " E11.9", "don't", "I'LL", " naïve", "ﬁ", "你好", "世界", "😀",
    "👩\u200d👩\u200d👧", "é", "\u200b", "ß", "İ", "Ω", "0", "12", " 345", "\n7", "\t8 9",
    "1,000.50", "2026-11-20", "½", "٣", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t",
    "\xa0", "\u3000", "<", ">", "|", "_", "<filename>", "<|im_end|>", "<|im_start|>",
    "<repo_name>", "<file", "{", "}", '"', "\\n", "==", "//", "://", "@", "#", "--",
    "…", "“", "a", "Z", "aaaaaaaaaaaaaaaa", "_x_", "λx.x", "ΣΑΣ", "한국어",
)  # fmt: skip
COUNT = 400


def texts() -> list[str]:
    """Every piece by itself, then random runs of them; always the same."""
    generator = random.Random(11)
    runs = ["".join(generator.choices(PIECES, k=generator.randrange(2, 9))) for _ in range(COUNT)]
    return [*PIECES, *runs]


def main(model: str) -> None:
    """Tokenise all texts without control tokens, and write them beside their ids."""
    llama = Llama(model_path=model, vocab_only=True, verbose=False)
    golden = [[text, llama.tokenize(text.encode("utf-8"), add_bos=False, special=False)] for text in texts()]
    lines = ",\n".join(json.dumps(one, ensure_ascii=True, separators=(",", ":")) for one in golden)
    TARGET.write_text(f"[\n{lines}\n]\n", encoding="ascii")


if __name__ == "__main__":
    main(sys.argv[1])
