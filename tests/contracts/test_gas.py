"""What the main flow costs, function by function; a change shows in the diff of gas_snapshot.json.

OPENLEDGER_UPDATE_GAS=1 writes the snapshot anew.
"""

import json
import os
from pathlib import Path

import pytest

from protocol.parameters import BURN_ACCOUNT
from protocol.receipt import solidity_tuple
from scripts.deployment_plan import OPEN
from tests.contracts.chains import InProcess
from tests.contracts.channel import DELAY, open_channel
from tests.contracts.datanets import create, decide, ensure_stake, publish, submit
from tests.contracts.epochs import Ledger
from tests.contracts.models.test_model_registry import register_base, register_model
from tests.contracts.world import World

VOUCHER_LIMIT = 30_000  # gas, of a voucher in a batch of 25
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


def voucher_in_batch(world: World) -> int:
    """What each of 25 vouchers costs their claimer: channels of different payers, none claimed before."""
    channels = [open_channel(world, OPEN, salt=bytes([100 + i]) * 32) for i in range(25)]
    vouchers = [channel.voucher(OPEN // 7 + i) for i, channel in enumerate(channels)]
    signatures = [channel.sign(voucher) for channel, voucher in zip(channels, vouchers, strict=True)]
    claim = world.channels.functions.claimMany([solidity_tuple(one) for one in vouchers], signatures)
    return world.send(claim, "node").gas // 25


def test_gas_is_as_recorded(world: World, ledger: Ledger) -> None:
    """SPEC 9.33: the gas of the main flow's functions is on record, and changes only with the record."""
    if not isinstance(world.chain, InProcess):
        pytest.skip("the record is of py-evm: a byte more or less in a signature is twelve gas")
    world.gas.clear()
    main_flow(world, ledger)
    batched = voucher_in_batch(world)
    world.gas.pop(("PaymentChannels", "claimMany"))
    measured = {f"{contract}.{function}": gas for (contract, function), gas in sorted(world.gas.items())}
    measured["PaymentChannels.claimMany (25 vouchers, each)"] = batched
    if os.environ.get("OPENLEDGER_UPDATE_GAS"):
        SNAPSHOT.write_text(json.dumps(measured, indent=1) + "\n")
    assert batched <= VOUCHER_LIMIT
    assert measured == json.loads(SNAPSHOT.read_text())
