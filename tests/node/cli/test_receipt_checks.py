"""A stranger's checks believe the chain: each lie of a node about one of its receipts is caught by name."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from node.chain.deployment import Deployment
from node.chain.keccak import keccak
from node.chain.rpc import Chain
from node.cli.receipt_checks import check_receipt
from node.errors import InvalidInput
from protocol.attribution import AttributionReport, Entry, Lane, attribution_root
from protocol.epoch_json import lists_to_json
from protocol.hashing import to_hex
from protocol.parameters import Split
from protocol.profile import unrepeatable
from protocol.receipt import receipt_to_json
from protocol.rewards import split_price
from tests.contracts.world import World
from tests.protocol.records import account, receipt, word

PRICE = 1003
METHOD = word("method")
REPORT = AttributionReport(
    (Entry(Lane.GRADIENT, 0, account(1), 400_000), Entry(Lane.SPAN, 3, account(2), 100_000)), 500_000, METHOD
)


@pytest.fixture(scope="module")
def world() -> World:
    made = World()
    made.authorize("node", "hot_signer")
    return made


@pytest.fixture(scope="module")
def chain(world: World) -> Chain:
    return Chain(world.web3, world.chain_id, Deployment(world.chain_id, 0, 0, world.record["contracts"], {}))


Answer = tuple[bytes, dict[str, Any], dict[str, Any]]


@pytest.fixture
def answer(world: World) -> Answer:
    """Request id, receipt and attribution as an honest node's API gives them."""
    version = int(world.call(world.parameters.functions.version()))
    one = replace(
        receipt(price=PRICE),
        node=world.plain("node"),
        parameters_version=version,
        attribution_root=attribution_root(REPORT, keccak),
        method_id=METHOD,
    )
    parts = split_price(PRICE, Split(*world.call(world.parameters.functions.splitAt(version)))).named
    body = {
        "receipt": receipt_to_json(one),
        "signature": to_hex(world.signers["hot_signer"].sign_receipt(one, world.receipts_domain)),
        "parts": [{"name": name, "amount": str(amount)} for name, amount in parts],
        "earners": [{"account": account(1), "amount": "1000"}, {"account": account(2), "amount": "3"}],
    }
    attribution = {
        "method_id": to_hex(METHOD),
        "entries": [
            {"lane": one.lane.name.lower(), "row": one.row, "owner": one.owner, "ppm": one.ppm}
            for one in REPORT.entries
        ],
        "unattributed_ppm": REPORT.unattributed_ppm,
        "lists": lists_to_json(REPORT.lists),
    }
    return one.request_id, body, attribution


def failed(answer: Answer, chain: Chain) -> list[str]:
    return [name for name, holds, _ in check_receipt(*answer, chain) if not holds]


def test_an_honest_receipt_passes_every_check(answer: Answer, chain: Chain) -> None:
    """SPEC 0.66"""
    assert failed(answer, chain) == []


def _more_for_the_operator(body: dict[str, Any], attribution: dict[str, Any]) -> None:
    amounts = {part["name"]: part for part in body["parts"]}
    amounts["operator"]["amount"] = str(int(amounts["operator"]["amount"]) + 1)
    amounts["data"]["amount"] = str(int(amounts["data"]["amount"]) - 1)


def _another_owner(body: dict[str, Any], attribution: dict[str, Any]) -> None:
    attribution["entries"][0]["owner"] = account(9)


def _another_method(body: dict[str, Any], attribution: dict[str, Any]) -> None:
    attribution["method_id"] = to_hex(word("another method"))


def _a_hidden_earner(body: dict[str, Any], attribution: dict[str, Any]) -> None:
    body["earners"].pop()


def _a_role_left_out(body: dict[str, Any], attribution: dict[str, Any]) -> None:
    body["parts"].pop()


Lie = Callable[[dict[str, Any], dict[str, Any]], None]
LIES: list[tuple[Lie, str]] = [
    (_more_for_the_operator, "split"),
    (_a_role_left_out, "split"),
    (_another_owner, "attribution root"),
    (_another_method, "attribution method"),
    (_a_hidden_earner, "earners"),
]


@pytest.mark.parametrize(("lie", "check"), LIES)
def test_a_lie_is_caught_by_the_check_that_it_breaks(
    answer: Answer, chain: Chain, lie: Lie, check: str
) -> None:
    """SPEC 0.66"""
    request_id, body, attribution = deepcopy(answer)
    lie(body, attribution)
    assert failed((request_id, body, attribution), chain) == [check]


def test_another_requests_receipt_and_a_strangers_signature_are_caught(
    answer: Answer, chain: Chain, world: World
) -> None:
    """SPEC 0.66"""
    _, body, attribution = answer
    assert failed((word("another request"), body, attribution), chain) == ["request"]
    changed = deepcopy(body)
    changed["receipt"]["outputTokens"] += 1
    assert failed((answer[0], changed, attribution), chain) == ["signer"]


def test_a_receipt_says_whether_its_tokens_can_be_computed_again(answer: Answer, chain: Chain) -> None:
    """SPEC 4.199"""
    request_id, body, attribution = deepcopy(answer)

    def told() -> str:
        checks = check_receipt(request_id, body, attribution, chain)
        return next(detail for name, _, detail in checks if name == "tokens")

    assert "computes the same tokens again" in told()
    body["receipt"]["profileId"] = to_hex(unrepeatable(word("vllm")))
    assert "the node's word" in told()


def test_a_revoked_signers_receipts_stay_valid(answer: Answer, chain: Chain, world: World) -> None:
    """SPEC 0.66"""
    signer = world.address("hot_signer")
    revoked = world.send(world.staking.functions.revokeSigner(signer), "node")
    world.pass_to(revoked.time + world.settings.signer_revoke_delay)
    assert not world.call(world.staking.functions.isSigner(world.address("node"), signer))
    assert failed(answer, chain) == []


def test_what_is_no_receipt_is_said_to_be_none(answer: Answer, chain: Chain) -> None:
    """SPEC 0.66"""
    request_id, body, attribution = answer
    for key in body:
        with pytest.raises(InvalidInput):
            check_receipt(request_id, {**body, key: None}, attribution, chain)
