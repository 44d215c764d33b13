"""`python -m inference_worker`: one worker process on one Unix socket."""

from __future__ import annotations

import os
import sys

# Nothing is ever fetched from a model hub; must be set before transformers is imported.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Weights in huge pages: a decode step reads all of them, and spends 4 to 8 % less where the kernel leaves the
# choice to processes. torch asks for it at its first allocation.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

from inference_worker.app import run
from inference_worker.config import parse_arguments


def main() -> int:
    """Run the command line."""
    return run(parse_arguments(sys.argv[1:]))


if __name__ == "__main__":
    raise SystemExit(main())
