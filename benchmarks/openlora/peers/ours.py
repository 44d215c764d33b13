"""Our engine, whole: requests pass its scheduler, sampler and text stream, adapters its loader."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import AutoTokenizer

from benchmarks.openlora.adapter_files import Library
from benchmarks.openlora.case import Case, Sample, prompts
from benchmarks.openlora.traffic import zipf_draws
from benchmarks.openlora.window import Window
from inference_worker.adapters.bundle import BundleSource
from inference_worker.adapters.disk import DiskTier
from inference_worker.adapters.ingest import Caps
from inference_worker.adapters.loader import AdapterLoader
from inference_worker.adapters.packer import PackingRules
from inference_worker.adapters.packing import PackedAdapter
from inference_worker.adapters.packing_process import PackerApart, PackingProcess
from inference_worker.base.fingerprint import read_record
from inference_worker.engine.engine import Engine
from inference_worker.engine.job import GenerationJob
from inference_worker.engine.linear import choose_linear
from inference_worker.engine.model_runner import ModelRunner
from inference_worker.engine.prompt import PromptEncoder
from inference_worker.engine.scheduler import SchedulerLimits
from inference_worker.engine.sequence import Event, Failed, SamplingParams, TokenProduced
from inference_worker.engine.weights import read_weights
from inference_worker.metrics import Metrics
from protocol.sampling import Sampling

SLOTS = 64
_PLENTY = 1 << 40
_DISK_BYTES = 4 << 30
# As many as a worker has.
_READING_THREADS, _FETCHING_THREADS = 2, 8
# Rows that are prefilled first decode while the others wait for their prompts.
_SLACK_TOKENS = 16
_TRACE_REQUESTS = 256
_STEP_SECONDS_MOST = 10.0


class Ours:
    """One engine, and one loader for each number of registered adapters."""

    def __init__(self, base: Path, folders: list[Path]) -> None:
        # Before there are threads, for it is a fork.
        self._packing = PackingProcess()
        self._kernel, linear = choose_linear()
        weights = read_weights(base, linear)
        prompt_encoder = PromptEncoder(AutoTokenizer.from_pretrained(str(base)), weights.shape.vocab)
        self._numbers = count()
        self._fingerprint = str(read_record(base)["fingerprint"])
        self._library, self._loaders = Library(folders), dict[int, AdapterLoader]()
        self._reading, self._fetching = (
            ThreadPoolExecutor(_READING_THREADS),
            ThreadPoolExecutor(_FETCHING_THREADS),
        )
        self._files = TemporaryDirectory(prefix="openlora-")
        self._rules = PackingRules(weights.shape, self._fingerprint, Caps())
        self._budget = SLOTS * self._new_loader(_PLENTY).acquire(self._library.register(1)[0]).nbytes
        # No token ends a stream: all rows run for as long as they are measured.
        self._engine = Engine(
            ModelRunner(weights),
            prompt_encoder.decoder(),
            frozenset(),
            SchedulerLimits(running=64),
            lambda cid, refusal: None,
            Metrics(),
        )
        self._engine.start()

    def facts(self) -> Mapping[str, object]:
        """Versions and the kernel."""
        return {"torch": torch.__version__, "kernel": self._kernel, "dtype": "float32"}

    def measure(self, case: Case) -> Sample:
        """Run the rows through the engine, and the loads beside it."""
        loader = self._loader(case.registered)
        with self._leased(loader, case) as adapters, self._storm(loader, case.loads_per_second):
            return self._run(case, adapters)

    def _run(self, case: Case, adapters: list[PackedAdapter | None]) -> Sample:
        window, done, failures = Window(case.rows, case.steps), threading.Event(), list[Failed]()
        gone = threading.Semaphore(0)

        def emit(row: int, event: Event) -> None:
            if isinstance(event, TokenProduced):
                window.saw(row, event.token)
            elif isinstance(event, Failed):
                failures.append(event)
            if window.is_closed or failures:
                done.set()

        params = SamplingParams(case.steps + _SLACK_TOKENS, Sampling(temperature=0.0))
        sequences = [
            self._engine.submit(
                GenerationJob(tuple(ids), params, adapter, f"row-{row}", partial(emit, row), gone.release)
            )
            for row, (ids, adapter) in enumerate(zip(prompts(case.rows), adapters, strict=True))
        ]
        finished = done.wait(case.steps * _STEP_SECONDS_MOST)
        for sequence in sequences:
            self._engine.cancel(sequence)
        for _ in sequences:
            gone.acquire()
        if failures or not finished:
            raise RuntimeError(f"{case.name}: {failures[0] if failures else 'no end in time'}")
        return window.sample()

    def _loader(self, registered: int) -> AdapterLoader:
        if registered not in self._loaders:
            loader = self._new_loader(self._budget)
            # What was asked for before is what a long-running worker would have in its memory and its books.
            cids = self._library.register(registered)
            for cid in cids:
                loader.register(cid)
            for number in zipf_draws(registered, _TRACE_REQUESTS if registered else 0, 1.0, seed=registered):
                loader.acquire(cids[number])
                loader.release(cids[number])
            self._loaders[registered] = loader
        return self._loaders[registered]

    def _new_loader(self, budget: int) -> AdapterLoader:
        metrics, folder = Metrics(), Path(self._files.name) / str(next(self._numbers))
        disk = DiskTier(folder, _DISK_BYTES, self._fingerprint, metrics)
        source = BundleSource(self._library.fetch, PackerApart(self._rules, self._packing, disk))
        return AdapterLoader(source, disk, budget, self._reading, self._fetching, metrics)

    @contextmanager
    def _leased(self, loader: AdapterLoader, case: Case) -> Iterator[list[PackedAdapter | None]]:
        needed = max([case.registered, *(n + 1 for n in case.adapters if n is not None)])
        cids, adapters = self._library.register(needed), list[PackedAdapter | None]()
        with ExitStack() as leases:
            for n in case.adapters:
                adapters.append(None if n is None else loader.acquire(cids[n]))
                if n is not None:
                    leases.callback(loader.release, cids[n])
            yield adapters

    @contextmanager
    def _storm(self, loader: AdapterLoader, per_second: float) -> Iterator[None]:
        if not per_second:
            yield
            return
        over = threading.Event()
        thread = threading.Thread(target=self._load_on, args=(loader, per_second, over))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _load_on(self, loader: AdapterLoader, per_second: float, over: threading.Event) -> None:
        due = time.monotonic()
        while not over.wait(max(0.0, due - time.monotonic())):
            cid = self._library.register_one_more()
            loader.acquire(cid)
            loader.release(cid)
            due += 1 / per_second


def build(options: Mapping[str, Any]) -> Ours:
    """`base` is the converted base's folder, `folders` the adapters'."""
    torch.set_num_threads(1)
    return Ours(Path(options["base"]), [Path(f) for f in options["folders"]])
