"""What the main flow costs, function by function; a change shows in the diff of gas_snapshot.json.

OPENLEDGER_UPDATE_GAS=1 writes the snapshot anew.
"""

import json
import os
from pathlib import Path

import pytest

from node.chain.keccak import keccak
from protocol.parameters import BURN_ACCOUNT
from protocol.receipt import solidity_tuple
from scripts.deployment_plan import OPEN, ORDER
from scripts.gas_table import PAGE, bound_of, page
from tests.contracts.asking import ask, ask_through, consumer
from tests.contracts.chains import InProcess
from tests.contracts.channel import DELAY, open_channel, terms_of
from tests.contracts.datanets import create, decide, ensure_stake, publish, submit
from tests.contracts.deep import DEPTH, deep_proofs
from tests.contracts.epochs import Ledger
from tests.contracts.ledger_deep import proof_gas
from tests.contracts.models.test_model_registry import register_base, register_model
from tests.contracts.payments.test_authorizations import opened_by
from tests.contracts.payments.test_authorizations import submit as submit_opening
from tests.contracts.rewards.test_claim_gas import repeated_claim_gas
from tests.contracts.world import World, rewound

DEEP = f"(depth {DEPTH})"
VOUCHER_LIMIT = 30_000  # gas, of a voucher in a batch of 25
SESSION_VOUCHER_LIMIT = 32_000  # the signer's cap is one more cold word
SNAPSHOT = Path(__file__).parent / "gas_snapshot.json"


def main_flow(world: World, ledger: Ledger) -> None:
    """Every stage once, and the repeated calls twice: the second is what a user pays from then on."""
    datanet = create(world, "curator")
    ensure_stake(world, "curator")
    decide(world, submit(world, datanet, "contributor"), 2, 1)
    publish(world, datanet, "curator")
    register_model(world, register_base(world), datanetVersionKey=(datanet << 64) | 1)
    for _ in range(2):
        ledger.settle("node", {"contributor": 301, "curator": 7, "model_owner": 92, BURN_ACCOUNT: 25})
        for account in ("contributor", "curator", BURN_ACCOUNT):
            ledger.claim(account)
    channel = open_channel(world, 50, salt=b"\x07" * 32)
    channel.do("authorizeSigner", world.address("hot_signer"), 40, world.now + 10_000)
    channel.claim(30, signer="hot_signer")
    end = channel.do("requestWithdraw").time + DELAY
    channel.do("withdraw", at=end)
    ask(world).fulfil()
    ask_through(world, consumer(world)).fulfil()
    unanswered = ask(world)
    unanswered.refund(at=unanswered.deadline)
    authorization = opened_by(world, terms_of(world, salt=b"\x08" * 32), OPEN)
    submit_opening(world, terms_of(world, salt=b"\x08" * 32), authorization, authorization.sign("payer"))


def voucher_in_batch(world: World, signer: str = "payer") -> int:
    """What each of 25 vouchers costs their claimer, in an epoch that holds nothing yet."""
    channels = [open_channel(world, OPEN, salt=keccak(signer.encode() + bytes([i]))) for i in range(25)]
    if signer != "payer":
        for channel in channels:
            channel.do("authorizeSigner", world.address(signer), OPEN, world.now + 10_000)
    vouchers = [channel.voucher(OPEN // 7 + i) for i, channel in enumerate(channels)]
    signatures = [channel.sign(voucher, signer) for channel, voucher in zip(channels, vouchers, strict=True)]
    world.pass_to(world.now + world.settings.epoch_length)
    claim = world.channels.functions.claimMany([solidity_tuple(one) for one in vouchers], signatures)
    return world.send(claim, "node").gas // 25


def test_gas_is_as_recorded(world: World, ledger: Ledger) -> None:
    """SPEC 9.33: the gas of the main flow's functions is on record, and changes only with the record."""
    if not isinstance(world.chain, InProcess):
        pytest.skip("the record is of py-evm: a byte more or less in a signature is twelve gas")
    world.gas.clear()
    main_flow(world, ledger)
    batched, by_sessions = voucher_in_batch(world), voucher_in_batch(world, "hot_signer")
    world.gas.pop(("PaymentChannels", "claimMany"))
    measured = {
        f"{contract}.{function}": gas
        for (contract, function), gas in sorted(world.gas.items())
        if contract in ORDER
    }
    measured["PaymentChannels.claimMany (25 vouchers, each)"] = batched
    measured["PaymentChannels.claimMany (25 vouchers of session signers, each)"] = by_sessions
    _compare(measured, deep=False)
    assert batched <= VOUCHER_LIMIT
    assert by_sessions <= SESSION_VOUCHER_LIMIT


def test_gas_of_deep_proofs_is_as_recorded(world: World, ledger: Ledger) -> None:
    """SPEC 9.33, 7.124: fault proofs with full lists, in trees of 2^17 receipts, rows, chunks and leaves."""
    if not isinstance(world.chain, InProcess):
        pytest.skip("the record is of py-evm")
    measured = deep_proofs(world, ledger)
    with rewound(world):
        measured |= proof_gas(ledger)
    for sender, whose in (("contributor", "own"), ("stranger", "relayed")):
        with rewound(world):
            name = f"RewardDistributor.claim, {whose}, repeated (depth {DEPTH})"
            measured[name] = repeated_claim_gas(Ledger(world), sender)
    _compare(measured, deep=True)
    for name, gas in measured.items():
        assert 0 < gas <= bound_of(name), name


def _compare(measured: dict[str, int], deep: bool) -> None:
    recorded = json.loads(SNAPSHOT.read_text())
    if os.environ.get("OPENLEDGER_UPDATE_GAS"):
        others = {name: gas for name, gas in recorded.items() if (DEEP in name) != deep}
        recorded = dict(sorted((others | measured).items()))
        SNAPSHOT.write_text(json.dumps(recorded, indent=1) + "\n")
    assert measured == {name: gas for name, gas in recorded.items() if (DEEP in name) == deep}


def test_the_page_of_gas_is_what_was_measured() -> None:
    """SPEC 9.33: docs/GAS.md follows the record."""
    assert PAGE.read_text() == page(json.loads(SNAPSHOT.read_text()))
