"""The table of parameters says what is deployed, and the deployed contract says what the table says."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.chain.keccak import keccak
from protocol.tunables import BY_NAME, TUNABLES, Kind, unbonding_needed
from scripts.deployment_parameters import parameters
from scripts.deployment_plan import DEVNET, Settings
from scripts.parameters_table import PAGE, render
from tests.contracts.governance.test_parameters import deploy_own, own, put
from tests.contracts.world import World, reverts, rewound

__all__ = ("own",)
WINDOWS = ("challengeWindow", "responseWindow", "committeeWindow", "appealWindow")


def test_the_page_is_what_is_deployed() -> None:
    """SPEC 9.71: docs/PARAMETERS.md lists every parameter with its kind, bounds and first values."""
    assert PAGE.read_text() == render()


def test_the_contract_lists_every_parameter_with_kind_and_bounds(world: World) -> None:
    """SPEC 9.71"""
    read = world.parameters.functions
    assert read.keys().call() == [keccak(one.name.encode()) for one in TUNABLES]
    for one in TUNABLES:
        key = keccak(one.name.encode())
        assert Kind(read.kindOf(key).call()) is one.kind
        least, greatest = read.boundsOf(key).call()
        assert greatest == one.greatest
        assert least == (world.settings.unbonding_period if one.name == "unbondingPeriod" else one.least)
        assert least <= read.value(key).call() <= greatest
    with reverts("ProtocolParametersUnknownKey", b"\1" * 32):
        world.call(read.kindOf(b"\1" * 32))


def test_the_greatest_windows_fit_into_the_least_unbonding_period() -> None:
    """SPEC 9.72: with an epoch of a day no vote on windows needs one on the unbonding period first."""
    greatest = [BY_NAME[name].greatest for name in WINDOWS]
    assert unbonding_needed(Settings().epoch_length, *greatest) <= BY_NAME["unbondingPeriod"].least


def windows_of(values: Sequence[int]) -> tuple[list[bytes], list[int]]:
    return [keccak(name.encode()) for name in (*WINDOWS, "unbondingPeriod")], list(values)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    windows=st.tuples(*(st.integers(2, 86_400) for _ in WINDOWS)),
    spare=st.integers(-2, 2),
)
def test_stake_never_leaves_before_the_last_word(own: World, windows: Sequence[int], spare: int) -> None:
    """SPEC 9.72: unbonding >= epoch + challenge + response + 2 committees + appeal after every change."""
    needed = unbonding_needed(DEVNET.epoch_length, *windows)
    keys, values = windows_of((*windows, max(300, needed + spare)))
    with rewound(own):
        if values[-1] < needed:
            with reverts("ProtocolParametersWindows", values[-1], needed):
                put(own, "setValues", keys, values)
            return
        put(own, "setValues", keys, values)
        with reverts("ProtocolParametersWindows", values[-1], values[-1] + 1):
            put(own, "setValue", keys[0], windows[0] + values[-1] - needed + 1)


BAD = (
    (Kind.PPM, 0, 1_000_001),
    (Kind.WEI, 0, 2**128),
    (Kind.SECONDS, 0, 2**32),
    (Kind.COUNT, 0, 2**64),
    (Kind.ACCOUNT, 1, 2**160),
    (Kind.COUNT, 6, 5),
)


@pytest.mark.parametrize(("kind", "least", "greatest"), BAD)
def test_bounds_belong_to_their_kind(world: World, kind: Kind, least: int, greatest: int) -> None:
    """SPEC 9.71: no parameter has bounds that its kind cannot have, or none between them."""
    rows = parameters(world.address("stranger"), replace(DEVNET))
    with reverts("ProtocolParametersBadBounds", b"\7" * 32, int(kind), least, greatest):
        deploy_own(world, [*rows, (b"\7" * 32, int(kind), greatest, least, greatest)])
