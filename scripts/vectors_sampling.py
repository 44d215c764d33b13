"""Golden cases of how an answer was drawn: each field on its own, and the prompt's digest that binds them."""

from node.chain.keccak import keccak
from protocol.hashing import to_hex
from protocol.json_schema import ANY_OBJECT
from protocol.receipt import prompt_digest
from protocol.sampling import Sampling, sampling_digest
from scripts.vectors_samples import Case, word

CASES = (
    Sampling(),
    Sampling(temperature=0.7),
    Sampling(top_p=0.9),
    Sampling(seed=2**53 - 1),
    Sampling(stop=("\n", "é")),
    Sampling(top_k=40),
    Sampling(min_p=0.05),
    Sampling(frequency_penalty=-0.5),
    Sampling(presence_penalty=1.5),
    Sampling(repetition_penalty=1.1),
    Sampling(logit_bias=((0, -100.0), (49151, 0.25))),
    Sampling(json_schema=ANY_OBJECT),
    Sampling(logprobs=5),
)


def sampling() -> Case:
    """Records, their digests for 16 output tokens, and the digest of a prompt of three ids with each."""
    salt, ids = word("salt"), (1, 2, 49151)
    cases = []
    for one in CASES:
        digest = sampling_digest(one, 16, keccak)
        prompt = prompt_digest(ids, digest, salt, keccak)
        cases.append({"sampling": one.to_json(), "digest": to_hex(digest), "prompt_digest": to_hex(prompt)})
    return {"max_tokens": 16, "prompt_ids": list(ids), "salt": to_hex(salt), "cases": cases}
