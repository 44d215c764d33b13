"""Versions, bounds and sums of the parameters, with the timelock's own hand."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web3.utils import get_create_address

from node.chain.keccak import keccak
from protocol.parameters import DEFAULTS, Split
from scripts.deployment_parameters import parameters
from scripts.deployment_plan import DEVNET, Web3Deployer
from tests.contracts.world import World, refusing, reverts, rewound

MAX_BATCH = keccak(b"maxBatch")


@pytest.fixture
def own(world: World) -> World:
    """Parameters under the deployer, so that single changes can be tried without votes."""
    address = deploy_own(world, parameters(world.address("stranger"), DEVNET))
    world.own = world.web3.eth.contract(  # type: ignore[attr-defined]
        address=world.checksum(address), abi=world.parameters.abi
    )
    return world


def deploy_own(world: World, rows: Sequence[tuple[object, ...]]) -> str:
    """ProtocolParameters whose access manager obeys the deployer."""
    deployer = Web3Deployer(world.web3, world.address("deployer"))
    nonce = world.web3.eth.get_transaction_count(world.address("deployer"))
    at = get_create_address(world.address("deployer"), nonce + 1)
    manager = deployer.deploy("OpenAccessManager", deployer.address, deployer.address, at, (1, 1, 1))
    with refusing():
        return deployer.deploy(
            "ProtocolParameters", manager, DEVNET.epoch_length, DEFAULTS.split.parts, list(rows)
        )


def put(world: World, function: str, *arguments: object) -> None:
    world.send(world.own.functions[function](*arguments), "deployer")  # type: ignore[attr-defined]


def test_the_first_version_is_the_protocols_default(world: World) -> None:
    """SPEC 9.21: version 1 holds what `protocol.parameters` calls the defaults."""
    read = world.parameters.functions
    assert read.version().call() == DEFAULTS.version == 1
    assert Split(*read.splitAt(1).call()) == DEFAULTS.split
    assert read.value(keccak(b"labourPpm")).call() == DEFAULTS.labour_ppm


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.integers(1, 1_024), min_size=1, max_size=6))
def test_every_version_stays_readable(own: World, values: list[int]) -> None:
    """SPEC 9.21: each change makes one version, and every earlier version answers as it did."""
    read = own.own.functions  # type: ignore[attr-defined]
    with rewound(own):
        for value in values:
            put(own, "setValue", MAX_BATCH, value)
        assert read.version().call() == 1 + len(values)
        assert [read.valueAt(MAX_BATCH, v + 2).call() for v in range(len(values))] == values
        assert read.valueAt(MAX_BATCH, 1).call() == DEVNET.max_batch
        assert read.splitAt(1 + len(values)).call() == DEFAULTS.split.parts


def test_unknown_versions_and_keys_are_refused(own: World) -> None:
    read = own.own.functions  # type: ignore[attr-defined]
    for version in (0, 2):
        with reverts("ProtocolParametersUnknownVersion", version, 1):
            own.call(read.splitAt(version))
        with reverts("ProtocolParametersUnknownVersion", version, 1):
            own.call(read.valueAt(MAX_BATCH, version))
    stranger = b"\x01" * 32
    for unknown in (read.value(stranger), read.valueAt(stranger, 1), read.boundsOf(stranger)):
        with reverts("ProtocolParametersUnknownKey", stranger):
            own.call(unknown)
    with reverts("ProtocolParametersUnknownKey", b"\x01" * 32):
        put(own, "setValue", b"\x01" * 32, 1)


@pytest.mark.parametrize("value", [0, 1_025, 2**256 - 1])
def test_values_keep_their_bounds(own: World, value: int) -> None:
    """SPEC 9.22: a value outside its bounds is refused with value and bounds."""
    with reverts("ProtocolParametersOutOfBounds", MAX_BATCH, value, 1, 1_024):
        put(own, "setValue", MAX_BATCH, value)


@pytest.mark.parametrize("last", [499_999, 500_001])
def test_a_split_sums_to_a_million(own: World, last: int) -> None:
    """SPEC 9.22: the parts of a split sum to 1,000,000."""
    with reverts("ProtocolParametersSplitSum", 500_000 + last):
        put(own, "setSplit", (100_000, 100_000, 100_000, 100_000, 100_000, last))
    put(own, "setSplit", (100_000, 100_000, 100_000, 100_000, 100_000, 500_000))


def test_lane_weights_always_add_up(own: World) -> None:
    """SPEC 9.23: a change after which the lane weights do not add up is refused."""
    gradient, span, retrieval = (keccak(n) for n in (b"gradientWeight", b"spanWeight", b"retrievalWeight"))
    with reverts("ProtocolParametersLaneWeights", 800_000, 100_000, 300_000):
        put(own, "setValue", span, 100_000)
    with reverts("ProtocolParametersLaneWeights", 800_000, 200_000, 800_001):
        put(own, "setValue", retrieval, 800_001)
    put(own, "setValues", [span, gradient, retrieval], [0, 1_000_000, 1_000_000])
    with reverts("ProtocolParametersBatch", 2, 1, 16):
        put(own, "setValues", [span, gradient], [0])
    with reverts("ProtocolParametersBatch", 17, 17, 16):
        put(own, "setValues", [span] * 17, [0] * 17)
