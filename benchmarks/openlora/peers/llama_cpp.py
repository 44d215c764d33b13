"""llama.cpp on its own quantised file of the same base.

Adapters belong to a context, not to a sequence: rows of different adapters are decoded one group after the
other in every step.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llama_cpp as lib
import numpy as np
from gguf import GGUFWriter
from safetensors.numpy import load_file

from benchmarks.openlora.case import PROMPT_TOKENS, Case, Sample, prompts
from benchmarks.openlora.window import WARM_TOKENS, Window

_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_MOST_ROWS, _BATCH_TOKENS, _CONTEXT = 32, 2048, 8192


def convert(folder: Path, target: Path, heads: int, kv_heads: int) -> Path:
    """A PEFT folder as llama.cpp's adapter file; kept if it exists."""
    if target.is_file():
        return target
    config = json.loads((folder / "adapter_config.json").read_text())
    tensors = load_file(str(folder / "adapter_model.safetensors"))
    part = target.with_suffix(".part")
    writer = GGUFWriter(str(part), "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(config["lora_alpha"]))
    for name, tensor in tensors.items():
        layer, module, side = _parse(name)
        turned = {"attn_q": heads, "attn_k": kv_heads}.get(module, 0) if side == "lora_b" else 0
        rows = _interleave(tensor, turned) if turned else tensor
        writer.add_tensor(f"blk.{layer}.{module}.weight.{side}", np.ascontiguousarray(rows))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return part.rename(target)


def _parse(name: str) -> tuple[int, str, str]:
    layer, rest = name.split(".layers.")[1].split(".", 1)
    module, side = rest.removesuffix(".weight").rsplit(".", 1)
    return int(layer), _NAMES[module], side.lower()


def _interleave(rows: np.ndarray, heads: int) -> np.ndarray:
    # llama.cpp turns neighbouring pairs where the original turns halves, so its rows are in another order.
    half = rows.shape[0] // heads // 2
    return rows.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(rows.shape)


class LlamaCpp:
    """One context with up to 32 sequences."""

    def __init__(self, gguf: Path, adapters: Sequence[Path]) -> None:
        self._quiet = lib.llama_log_callback(lambda *_: None)
        lib.llama_log_set(self._quiet, ctypes.c_void_p(0))
        lib.llama_backend_init()
        self._model = lib.llama_model_load_from_file(str(gguf).encode(), lib.llama_model_default_params())
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_seq_max = _CONTEXT, _BATCH_TOKENS, _MOST_ROWS
        params.n_threads = params.n_threads_batch = 1
        params.kv_unified = True
        self._context = lib.llama_init_from_model(self._model, params)
        self._vocab = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self._model))
        self._batch = lib.llama_batch_init(_BATCH_TOKENS, 0, 1)
        self._adapters = [lib.llama_adapter_lora_init(self._model, str(a).encode()) for a in adapters]
        if not all(self._adapters):
            raise RuntimeError("an adapter was refused")

    def facts(self) -> Mapping[str, object]:
        """Versions."""
        return {"llama-cpp-python": version("llama-cpp-python"), "dtype": "Q4_1 base, float32 adapters"}

    def measure(self, case: Case) -> Sample:
        """Greedy decoding; in every step one call for each adapter among the rows."""
        lib.llama_memory_clear(lib.llama_get_memory(self._context), True)
        window = Window(case.rows, case.steps)
        groups = [
            (a, [r for r in range(case.rows) if case.adapters[r] == a])
            for a in sorted(set(case.adapters), key=lambda a: -1 if a is None else a)
        ]
        tokens, start = prompts(case.rows), 0
        for _ in range(WARM_TOKENS + case.steps):
            chosen = {}
            for adapter, rows in groups:
                self._use(adapter)
                chosen.update(self._decode({row: tokens[row] for row in rows}, start))
            for row in range(case.rows):
                window.saw(row, chosen[row])
            start += len(tokens[0])
            tokens = [[chosen[row]] for row in range(case.rows)]
        return window.sample()

    def _use(self, adapter: int | None) -> None:
        count = 0 if adapter is None else 1
        held = (lib.llama_adapter_lora_p_ctypes * 1)(
            *([self._adapters[adapter]] if adapter is not None else [])
        )
        if lib.llama_set_adapters_lora(self._context, held, count, (ctypes.c_float * 1)(1.0)):
            raise RuntimeError(f"adapter {adapter} was not set")

    def _decode(self, pieces: Mapping[int, Sequence[int]], start: int) -> dict[int, int]:
        """Run a piece of each row from position `start`; returns each row's most likely next token."""
        batch, place, ends = self._batch, 0, {}
        for row, ids in pieces.items():
            for offset, token in enumerate(ids):
                batch.token[place], batch.pos[place] = token, start + offset
                batch.n_seq_id[place], batch.seq_id[place][0] = 1, row
                batch.logits[place] = offset == len(ids) - 1
                ends[row], place = place, place + 1
        batch.n_tokens = place
        if lib.llama_decode(self._context, batch):
            raise RuntimeError(f"decoding {place} tokens failed")
        return {row: self._best(end) for row, end in ends.items()}

    def _best(self, place: int) -> int:
        logits = lib.llama_get_logits_ith(self._context, place)
        return int(np.ctypeslib.as_array(logits, shape=(self._vocab,)).argmax())


def build(options: Mapping[str, Any]) -> LlamaCpp:
    """`gguf` is the base's file; `folders` are converted beside themselves."""
    assert PROMPT_TOKENS * _MOST_ROWS <= _BATCH_TOKENS
    adapters = [
        convert(Path(f), Path(f) / "adapter.gguf", options["heads"], options["kv_heads"])
        for f in options["folders"]
    ]
    gguf = Path(options["gguf"])
    if not gguf.is_file():
        raise FileNotFoundError(f"the base as llama.cpp's file: {gguf}")
    return LlamaCpp(gguf, adapters)
