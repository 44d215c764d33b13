"""The infini-gram package over the same rows and answers as our suffix index:
`python -m benchmarks.attribution_spans_peer TOKENS.npz FOLDER`.

Runs in an environment of its own, which holds the package and nothing of ours. Its indexer is called as it
is; the tokens are given to it in its own files, since its tokenizers ask the network. Prints one JSON object.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from pathlib import Path

import infini_gram
import numpy as np
import numpy.typing as npt
from infini_gram.engine import InfiniGramEngine

THREADS = 2
# Suffixes that reach from one part into the next are longer than this for no row here.
OVERLAP_BYTES = 100_000
MIN_TOKENS, MAX_PLACES = 2, 50
START = b"\xff\xff"

Ids = npt.NDArray[np.uint16]


def write_tokens(folder: Path, tokens: Ids, lengths: npt.NDArray[np.int64]) -> int:
    """Tokens, offsets and empty metadata as the indexer reads them; returns the bytes of tokens."""
    ends = np.cumsum(lengths)
    rows = [START + tokens[end - size : end].tobytes() for end, size in zip(ends, lengths, strict=True)]
    offsets = np.cumsum([0, *map(len, rows)][:-1]).astype("<u8")
    (folder / "tokenized.0").write_bytes(b"".join(rows))
    (folder / "offset.0").write_bytes(offsets.tobytes())
    (folder / "metadata.0").write_bytes(b"{}\n" * len(rows))
    (folder / "metaoff.0").write_bytes((3 * np.arange(len(rows))).astype("<u8").tobytes())
    return sum(map(len, rows))


def build(folder: Path, size: int) -> None:
    """The suffix array, by the package's own program."""
    program = str(Path(infini_gram.__file__).parent / "rust_indexing")
    ratio = str(math.ceil(math.log2(size) / 8))
    common = ["--data-file", str(folder / "tokenized.0"), "--ratio", ratio, "--token-width", "2"]
    parts, merged = folder / "parts", folder / "merged"
    for made in (parts, merged):
        made.mkdir()
    step = size // THREADS // 2 * 2
    for number in range(THREADS):
        end = size if number == THREADS - 1 else min(size, (number + 1) * step + OVERLAP_BYTES)
        span = ["--start-byte", str(number * step), "--end-byte", str(end)]
        run(program, "make-part", "--parts-dir", str(parts), *span, *common)
    common += ["--num-threads", str(THREADS), "--merged-dir", str(merged)]
    run(program, "merge", "--parts-dir", str(parts), "--hacksize", str(OVERLAP_BYTES), *common)
    run(program, "concat", "--merged-file", str(folder / "table.0"), *common)


def run(*command: str) -> None:
    """One step of the indexer."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Build, look up, print."""
    given, folder = np.load(sys.argv[1]), Path(sys.argv[2])
    tokens, answers = given["tokens"], given["answers"]
    began = time.perf_counter()
    size = write_tokens(folder, tokens, given["lengths"])
    build(folder, size)
    built = time.perf_counter()
    engine = InfiniGramEngine(str(folder), eos_token_id=0, vocab_size=65535, version=4, token_dtype="u16")
    times = []
    for answer in answers:
        begun = time.perf_counter()
        found = engine.attribute(answer.tolist(), [], MIN_TOKENS, MAX_PLACES, False)
        times.append((time.perf_counter() - begun) * 1000)
        if "spans" not in found:
            raise SystemExit(f"the package refused an answer: {found}")
    ordered = sorted(times[1:])
    kept = ("tokenized.0", "offset.0", "table.0")
    result = {
        "tokens": len(tokens),
        "bytes_a_token": round(sum((folder / name).stat().st_size for name in kept) / len(tokens), 3),
        "build_seconds": round(built - began, 2),
        "p50_ms": round(ordered[len(ordered) // 2], 2),
        "p95_ms": round(ordered[len(ordered) * 95 // 100], 2),
        "most_ms": round(ordered[-1], 2),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
