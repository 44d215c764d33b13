"""Settings that hold for every test: deterministic hashing backend, one tensor thread, no hub look-ups."""

import os

os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
