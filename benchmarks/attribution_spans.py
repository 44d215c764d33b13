"""The suffix index by size: bytes a token, seconds to build, and what one answer's lookup takes.

Run: python -m benchmarks.attribution_spans --base FOLDER [--ten-million]. Rows are real text: ICD-10-CM
questions and answers first, then the Python sources of the installed libraries, 64 tokens a row. Answers have
160 tokens: pieces of rows of 12 to 40 tokens, between tokens drawn from the rows one by one. Every size is
built from nothing through `ShardFolder`, the files then read back from the cache of the operating system. The
infini-gram package gets the same rows and answers, where its environment is installed; it lists up to 50
places of every maximal match of two tokens, ours the lowest row of each leading one.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import ROOT, commit, machine, write
from inference_worker.attribution.shard_folder import ShardFolder, SpanRow
from inference_worker.attribution.spans import SpanIndex, TokenRow
from inference_worker.attribution.suffix_index import SuffixIndex
from inference_worker.base.load import load_tokenizer
from node.datanet.icd10 import leaf_codes, row_of
from protocol.spans import cover

SIZES = (100_000, 1_000_000)
TEN_MILLION = 10_000_000
ROW_TOKENS = 64
ANSWER_TOKENS = 160
ANSWERS = 200
PEER = ROOT / ".tools/bench/infini/bin/python"
CHECKED = 100_000
TEXTS_AT_ONCE = 512
MAX_FILE_CHARACTERS = 200_000

Row = list[int]


@dataclass(frozen=True)
class Figures:
    """One size. Times in seconds and milliseconds; `checked`: covers compared with the index in memory."""

    tokens: int
    rows: int
    shards: int
    bytes_a_token: float
    expected_seconds: float
    build_seconds: float
    open_seconds: float
    first_ms: float
    p50_ms: float
    p95_ms: float
    most_ms: float
    peak_bytes: int
    checked: int
    infini_gram: dict[str, float] | None


def texts() -> Iterator[str]:
    """Real text without end in sight: the whole code system, then library sources in path order."""
    for code in leaf_codes():
        row = row_of(code)
        yield f"{row.prompt} {row.completion}"
    for path in sorted(Path(sysconfig.get_path("purelib")).rglob("*.py")):
        yield path.read_text("utf-8", "replace")[:MAX_FILE_CHARACTERS]


def token_rows(tokenizer: Any, tokens: int) -> list[Row]:
    """Rows of at most ROW_TOKENS that make `tokens` together; fewer if the text ends."""
    rows: list[Row] = []
    left, source = tokens, texts()
    while left and (batch := list(islice(source, TEXTS_AT_ONCE))):
        for ids in tokenizer(batch, add_special_tokens=False)["input_ids"]:
            for at in range(0, len(ids), ROW_TOKENS):
                row = ids[at : at + ROW_TOKENS][:left]
                rows += [row] if row else []
                left -= len(row)
    return rows


def answers(rows: Sequence[Row], count: int) -> list[Row]:
    """Answers of ANSWER_TOKENS that lift pieces of rows between tokens drawn one by one."""
    drawn = random.Random(7)
    made = []
    for _ in range(count):
        answer: Row = []
        while len(answer) < ANSWER_TOKENS:
            row = drawn.choice(rows)
            at = drawn.randrange(len(row))
            answer += row[at : at + drawn.randint(12, 40)]
            answer += [drawn.choice(drawn.choice(rows)) for _ in range(drawn.randint(0, 20))]
        made.append(answer[:ANSWER_TOKENS])
    return made


def measure(rows: Sequence[Row]) -> Figures:
    """Build, open again, look up; the covers of the smallest size are compared with the index in memory."""
    size = sum(map(len, rows))
    places = [SpanRow(n, f"0x{sha256(str(n).encode()).hexdigest()}", False) for n in range(len(rows))]
    asked = answers(rows, ANSWERS)
    with tempfile.TemporaryDirectory() as place:
        folder = ShardFolder(Path(place), "benchmark")
        plan = folder.plan(places)
        cost = folder.cost(plan, rows.__getitem__)
        print(
            f"{size} tokens: about {cost.disk_bytes / 1e6:.1f} MB on disk, "
            f"{cost.memory_bytes / 1e6:.0f} MB of memory, {cost.seconds:.1f} s",
            flush=True,
        )
        begun = time.perf_counter()
        folder.build(plan, rows.__getitem__, lambda done, every: print(f"  {done} of {every} rows"))
        built = time.perf_counter()
        index = folder.build(folder.plan(places), rows.__getitem__, lambda done, every: None).index
        opened = time.perf_counter()
        on_disk = sum(path.stat().st_size for path in Path(place).iterdir())
        times = [_milliseconds(index, answer) for answer in asked]
    ordered = sorted(times[1:])
    return Figures(
        tokens=size,
        rows=len(rows),
        shards=len(index.shards),
        bytes_a_token=round(on_disk / size, 3),
        expected_seconds=round(cost.seconds, 1),
        build_seconds=round(built - begun, 2),
        open_seconds=round(opened - built, 2),
        first_ms=round(times[0], 2),
        p50_ms=round(ordered[len(ordered) // 2], 2),
        p95_ms=round(ordered[len(ordered) * 95 // 100], 2),
        most_ms=round(ordered[-1], 2),
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        checked=_compared(index, rows, asked) if size <= CHECKED else 0,
        infini_gram=beside(rows, asked),
    )


def beside(rows: Sequence[Row], asked: Sequence[Row]) -> dict[str, float] | None:
    """What the infini-gram package takes for the same; None where it is not installed."""
    if not PEER.exists():
        return None
    with tempfile.TemporaryDirectory() as place:
        given, index = Path(place) / "tokens.npz", Path(place) / "index"
        index.mkdir()
        tokens = np.fromiter(chain.from_iterable(rows), np.uint16)
        np.savez(given, tokens=tokens, lengths=[len(row) for row in rows], answers=np.array(asked, np.uint16))
        command = [str(PEER), "-m", "benchmarks.attribution_spans_peer", str(given), str(index)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _milliseconds(index: SuffixIndex, answer: Sequence[int]) -> float:
    begun = time.perf_counter()
    index.leading_matches(answer)
    return (time.perf_counter() - begun) * 1000


def _compared(index: SuffixIndex, rows: Sequence[Row], asked: Sequence[Row]) -> int:
    naive = SpanIndex([TokenRow(n, tuple(row)) for n, row in enumerate(rows)])
    for answer in asked:
        found, expected = cover(index.leading_matches(answer)), cover(naive.maximal_matches(answer))
        if found != expected:
            raise SystemExit(f"covers differ for {answer}: {found}, in memory {expected}")
    return len(asked)


def table(figures: Sequence[Figures]) -> str:
    """The figures as text."""
    head = (
        f"{'tokens':>11} {'rows':>8} {'shards':>6} {'B/token':>8} {'build s':>8} {'open s':>7} "
        f"{'first ms':>9} {'p50 ms':>7} {'p95 ms':>7} {'most ms':>8} {'peak MiB':>9}"
    )
    lines = [
        f"{f.tokens:>11,} {f.rows:>8,} {f.shards:>6} {f.bytes_a_token:>8.2f} {f.build_seconds:>8.2f} "
        f"{f.open_seconds:>7.2f} {f.first_ms:>9.2f} {f.p50_ms:>7.2f} {f.p95_ms:>7.2f} {f.most_ms:>8.2f} "
        f"{f.peak_bytes >> 20:>9,}"
        for f in figures
    ]
    peers = [
        f"{f.tokens:>11,} {'infini-gram':>15} {p['bytes_a_token']:>8.2f} {p['build_seconds']:>8.2f} {'':>17} "
        f"{p['p50_ms']:>7.2f} {p['p95_ms']:>7.2f} {p['most_ms']:>8.2f}"
        for f in figures
        if (p := f.infini_gram) is not None
    ]
    return "\n".join([head, *lines, *peers]) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--base", type=Path, required=True, help="folder of a converted base: its tokenizer")
    parser.add_argument("--ten-million", action="store_true", help="10 M tokens too")
    options = parser.parse_args(arguments)
    begun, at = machine(), commit()
    tokenizer = load_tokenizer(options.base)
    figures = []
    for size in SIZES + ((TEN_MILLION,) if options.ten_million else ()):
        figures.append(measure(token_rows(tokenizer, size)))
    text = table(figures)
    print(text, end="")
    document = {
        "machine": asdict(begun),
        "commit": at,
        "answers": ANSWERS,
        "answer_tokens": ANSWER_TOKENS,
        "sizes": [asdict(one) for one in figures],
    }
    print(f"written: {write('attribution-spans', document, text)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
