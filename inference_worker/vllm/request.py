"""A job as vLLM's completion request, field by field; what vLLM would compute otherwise is refused.

Pure. Stop strings and the end of a turn stay on our side, so they are never sent. vLLM's order is bias,
penalties, temperature, min_p, top_k, top_p; ours is penalties, bias, temperature, top_k, top_p, min_p.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from inference_worker.engine.sequence import SamplingParams
from inference_worker.errors import RequestInvalid

# Below the one both engines are greedy; from there to the other vLLM would raise the temperature to it.
GREEDY_BELOW, COLDEST_DRAW = 1e-4, 1e-2


def check_params(params: SamplingParams) -> None:
    """Raise RequestInvalid for the first field that vLLM does not compute as we define it."""
    asked = params.sampling
    if asked.json_schema is not None:
        raise RequestInvalid("json_schema", "given", "none: with vLLM a token limit could cut the JSON")
    if GREEDY_BELOW <= asked.temperature < COLDEST_DRAW:
        raise RequestInvalid("temperature", asked.temperature, f"0 or at least {COLDEST_DRAW} with vLLM")
    if asked.logit_bias and asked.repetition_penalty != 1.0:
        raise RequestInvalid("logit_bias", "given", "none beside repetition_penalty with vLLM")
    if asked.temperature < GREEDY_BELOW:
        return
    if asked.top_p <= 0.0:
        raise RequestInvalid("top_p", asked.top_p, "above 0 with vLLM; temperature 0 is greedy")
    if asked.min_p > 0.0 and asked.top_p < 1.0:
        raise RequestInvalid("min_p", asked.min_p, "0 beside top_p below 1 with vLLM")


def request_body(
    model: str, prompt_ids: tuple[int, ...], params: SamplingParams, ends: Iterable[int], tenant: str
) -> dict[str, object]:
    """The JSON of a streamed completion for checked parameters; `model` is a name registered in vLLM."""
    asked = params.sampling
    greedy = asked.temperature < GREEDY_BELOW
    body: dict[str, object] = {
        "model": model,
        "prompt": list(prompt_ids),
        "max_tokens": params.max_tokens,
        "stream": True,
        # Every token comes with its logprob, asked for or not: it is how a NaN is seen.
        "logprobs": asked.logprobs or 0,
        "return_tokens_as_token_ids": True,
        "ignore_eos": True,
        "stop_token_ids": sorted(ends),
        "temperature": 0.0 if greedy else asked.temperature,
        "frequency_penalty": asked.frequency_penalty,
        "presence_penalty": asked.presence_penalty,
        "repetition_penalty": asked.repetition_penalty,
        "logit_bias": {str(token): bias for token, bias in asked.logit_bias} or None,
        # Tenants do not share prompts: the time to the first token would tell one what another asked.
        "cache_salt": hashlib.sha256(tenant.encode()).hexdigest(),
    }
    if greedy:
        return body
    draws = {"top_p": asked.top_p, "top_k": asked.top_k, "min_p": asked.min_p, "seed": asked.seed}
    return {**body, **draws}
