"""One job on vLLM: its request, and the events of its tokens as they come."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from inference_worker.engine.job import GenerationJob
from inference_worker.engine.sequence import Finished, SamplingParams, TokenProduced
from inference_worker.engine.text_stream import Decode, TextStream
from inference_worker.errors import BackendUnavailable, WorkerError
from inference_worker.metrics import Metrics
from inference_worker.vllm.client import VllmClient
from inference_worker.vllm.registry import Registry
from inference_worker.vllm.reply import Chosen, ReplyNotFinite
from inference_worker.vllm.request import request_body
from protocol.sampling import Sampling

log = structlog.get_logger()


@dataclass(frozen=True)
class Answerer:
    """Answers jobs with the text, stop strings and end of turn of our own engine."""

    client: VllmClient
    registry: Registry
    decode: Decode
    end_tokens: frozenset[int]
    metrics: Metrics

    async def answer(self, job: GenerationJob, output: list[int]) -> Finished:
        """Tell a job's tokens, which `output` collects, and return its end; being cancelled ends it in vLLM.

        Raises ReplyNotFinite, BackendUnavailable and other WorkerErrors.
        """
        asked = job.params.sampling
        stream, count = TextStream(self.decode, asked.stop), asked.logprobs or 0
        async with self.registry.named(job.adapter) as model:
            body = request_body(model, job.prompt_ids, job.params, self.end_tokens, job.tenant)
            self.metrics.count("prompt_tokens_total", len(job.prompt_ids))
            async with aclosing(self.client.answer(body, count)) as answer:  # type: ignore[type-var]
                async for chosen in answer:
                    finished = self._take(job, stream, output, chosen)
                    if finished is not None:
                        return finished
        raise BackendUnavailable(
            f"vLLM ended an answer of {job.params.max_tokens} after {len(output)} tokens"
        )

    async def breaks(self, job: GenerationJob, output: Sequence[int]) -> bool:
        """Whether a job that got this far makes a NaN in a vLLM where nothing else runs."""
        prompt, next_one = (*job.prompt_ids, *output), SamplingParams(1, Sampling(temperature=0.0))
        try:
            async with self.registry.named(job.adapter) as model:
                body = request_body(model, prompt, next_one, self.end_tokens, job.tenant)
                async for _ in self.client.answer(body, 0):
                    pass
        except ReplyNotFinite:
            return True
        except WorkerError as error:
            log.warning("vllm_suspect_not_examined", reason=str(error))
        return False

    def _take(
        self, job: GenerationJob, stream: TextStream, output: list[int], chosen: Chosen
    ) -> Finished | None:
        output.append(chosen.token)
        self.metrics.count("output_tokens_total")
        ends, full = chosen.token in self.end_tokens, len(output) >= job.params.max_tokens
        text = stream.flush() if ends else stream.push(chosen.token, full)
        scores = None if ends or job.params.sampling.logprobs is None else chosen.scores
        job.emit(TokenProduced(len(output) - 1, chosen.token, text, scores))
        if ends or stream.stopped:
            return Finished(tuple(output), stream.text, "stop")
        return Finished(tuple(output), stream.text, "length") if full else None
