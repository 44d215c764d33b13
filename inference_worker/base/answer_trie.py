"""Log-probability of many candidate answers to one question in a single pass.

Candidates share their first tokens (codes do), so they are laid out as a trie behind the question: each
node sees the question and its own ancestors. The numbers equal one pass per candidate; a test compares
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from inference_worker.base.exchange import KeyValues


@dataclass(frozen=True)
class Trie:
    """Nodes in order of appearance; `parent` is -1 at the top; `path[c]` are the nodes of candidate c."""

    tokens: tuple[int, ...]
    parent: tuple[int, ...]
    depth: tuple[int, ...]
    paths: tuple[tuple[int, ...], ...]


def build_trie(answers: Sequence[Sequence[int]]) -> Trie:
    """The trie of the answers' token ids."""
    seen: dict[tuple[int, int], int] = {}
    tokens: list[int] = []
    parents: list[int] = []
    depths: list[int] = []
    paths: list[tuple[int, ...]] = []
    for answer in answers:
        node, path = -1, []
        for depth, token in enumerate(answer):
            child = seen.setdefault((node, token), len(tokens))
            if child == len(tokens):
                tokens.append(token)
                parents.append(node)
                depths.append(depth)
            node = child
            path.append(node)
        paths.append(tuple(path))
    return Trie(tuple(tokens), tuple(parents), tuple(depths), tuple(paths))


def visibility(trie: Trie, question: int, past: int) -> torch.Tensor:
    """(1, 1, question + nodes, past + question + nodes) additive mask: 0 where seen, the lowest float
    elsewhere.
    """
    own = question + len(trie.tokens)
    seen = torch.zeros(own, own, dtype=torch.bool)
    seen[:question, :question] = torch.ones(question, question, dtype=torch.bool).tril()
    seen[question:, :question] = True
    for node, parent in enumerate(trie.parent):
        if parent >= 0:
            seen[question + node, question:] = seen[question + parent, question:]
        seen[question + node, question + node] = True
    mask = torch.zeros(own, past + own)
    mask[:, past:].masked_fill_(~seen, torch.finfo(mask.dtype).min)
    return mask[None, None]


@torch.no_grad()
def answer_logprobs(
    model: Any, question: Sequence[int], answers: Sequence[Sequence[int]], skip: int, states: KeyValues
) -> list[float]:
    """log p (nats) of each answer given the question; `states` hold the first `skip` tokens."""
    trie = build_trie(answers)
    own = list(question[skip:])
    ids = torch.tensor([own + list(trie.tokens)], device=model.device)
    places = [*range(skip, len(question)), *(len(question) + depth for depth in trie.depth)]
    cache = None
    if states:
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(states):
            cache.update(keys, values, layer)
    hidden = model.get_decoder()(
        input_ids=ids,
        attention_mask=visibility(trie, len(own), skip).to(model.device),
        position_ids=torch.tensor([places], device=model.device),
        past_key_values=cache,
        use_cache=cache is not None,
    ).last_hidden_state[0, len(own) - 1 :]
    logits = model.get_output_embeddings()(hidden).float().log_softmax(-1)
    # Row 0 is the question's last token, row n+1 is node n.
    score = [float(logits[parent + 1, token]) for parent, token in zip(trie.parent, trie.tokens, strict=True)]
    return [sum(score[node] for node in path) for path in trie.paths]
