"""Proposals' calls: what is voted on is exactly what was meant."""

from hypothesis import given
from hypothesis import strategies as st
from web3 import Web3

from node.chain.deployment import load_artifact
from node.chain.keccak import keccak
from node.governance.proposals import STATES, split_call, value_call
from protocol.parameters import Split
from protocol.shares import scores_to_shares
from protocol.types import TOTAL_PPM

ADDRESS = Web3.to_checksum_address("0x" + "ab" * 20)
PARAMETERS = Web3().eth.contract(address=ADDRESS, abi=load_artifact("ProtocolParameters").abi)
SPLITS = st.lists(st.integers(0, 100), min_size=6, max_size=6).map(
    lambda weights: Split(*scores_to_shares(weights, TOTAL_PPM))
)


@given(SPLITS)
def test_a_splits_call_decodes_to_the_same_shares_in_the_same_places(split: Split) -> None:
    """SPEC 9.41"""
    call = split_call(PARAMETERS, split)
    function, arguments = PARAMETERS.decode_function_input(call.calldata)
    assert (call.target, function.fn_name) == (ADDRESS, "setSplit")
    shares = arguments["split"]
    assert [
        shares[name] for name in ("burn", "treasury", "modelOwner", "operator", "stakers", "data")
    ] == list(split.parts)


@given(st.text(min_size=1, max_size=20), st.integers(0, 2**256 - 1))
def test_a_values_call_names_its_key_by_hash(name: str, value: int) -> None:
    """SPEC 9.41"""
    call = value_call(PARAMETERS, keccak(name.encode()), value)
    function, arguments = PARAMETERS.decode_function_input(call.calldata)
    assert function.fn_name == "setValue"
    assert arguments == {"key": keccak(name.encode()), "newValue": value}


def test_states_are_numbered_as_the_governor_numbers_them() -> None:
    """SPEC 9.41"""
    assert [STATES.index(state) for state in ("pending", "active", "succeeded", "queued", "executed")] == [
        0, 1, 4, 5, 7,
    ]  # fmt: skip
