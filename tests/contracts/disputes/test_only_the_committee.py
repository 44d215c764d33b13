"""What no one-shot proof can judge: jurors run the answer again, and the committee slashes for it.

The model is a toy, but what jurors compare is real: output and prompt digests and the report root of an
attribution that they recompute from the same prompt.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from node.chain.keccak import keccak
from protocol.disputes import Verdict
from protocol.hashing import tag, words
from protocol.receipt import Receipt, output_root, prompt_digest
from protocol.sampling import Sampling, sampling_digest
from tests.contracts.disputes.court import GUILTY, NOT_GUILTY, STAKE, Court

PROMPT = (5, 3, 8)
SALT = keccak(b"the prompt's salt, which the challenger hands to the jurors")
GREEDY = sampling_digest(Sampling(), 9, keccak)


@dataclass(frozen=True)
class Execution:
    """One run: what the node says it did, or what a juror gets who does it again."""

    prompt: tuple[int, ...]
    output: tuple[int, ...]
    units: tuple[int, ...]


def execute(prompt: tuple[int, ...]) -> Execution:
    """The agreed model: deterministic, as jurors need it to be."""
    output = tuple((token * 7 + place) % 101 for place, token in enumerate(prompt * 3))
    return Execution(prompt, output, tuple(token * token % 13 for token in output[:4]))


def digests(run: Execution) -> dict[str, bytes | int]:
    """The fields of a receipt that say what was asked, answered and credited."""
    lane = keccak(words(tag("lane", keccak), *run.units))
    return {
        "prompt_digest": prompt_digest(run.prompt, GREEDY, SALT, keccak),
        "output_root": output_root(run.output, keccak),
        "attribution_root": keccak(words(tag("report", keccak), lane)),
        "output_tokens": len(run.output),
    }


def judge(receipt: Receipt) -> Verdict:
    """A juror's verdict: it runs the prompt again and compares every field it can recompute."""
    truth = replace(receipt, **digests(execute(PROMPT)))  # type: ignore[arg-type]
    return Verdict.NOT_GUILTY if truth == receipt else Verdict.GUILTY


def wrong_gradient(run: Execution) -> Execution:
    return replace(run, units=(run.units[0] + 1, *run.units[1:]))


def wrong_output(run: Execution) -> Execution:
    return replace(run, output=(*run.output[:-1], run.output[-1] + 1))


def wrong_prompt(run: Execution) -> Execution:
    return execute((*PROMPT, 1))


def honest(run: Execution) -> Execution:
    return run


@pytest.mark.parametrize("spoil", [wrong_gradient, wrong_output, wrong_prompt])
def test_the_committee_slashes_for_what_only_it_can_judge(
    court: Court, spoil: Callable[[Execution], Execution]
) -> None:
    """SPEC 7.158: a gradient score, an output or a prompt that is not what the model makes."""
    statement = court.state(**digests(spoil(execute(PROMPT))))
    id_ = court.decide(statement, judge(statement.receipts[0]))
    event = court.settle(id_)
    assert (event["status"], event["slashed"]) == (GUILTY, STAKE // 10)
    assert court.is_voided(statement)


def test_an_honest_answer_is_acquitted(court: Court) -> None:
    """SPEC 7.158: the same jurors find nothing wrong with what was run as agreed."""
    statement = court.state(**digests(honest(execute(PROMPT))))
    id_ = court.decide(statement, judge(statement.receipts[0]))
    assert court.settle(id_)["status"] == NOT_GUILTY
    assert court.stake_of("node") == STAKE
