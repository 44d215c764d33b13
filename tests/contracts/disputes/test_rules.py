"""The Solidity rules of disputes against the vectors of `protocol.disputes`."""

from typing import Any

import pytest
from web3.contract import Contract

from node.chain.deployment import load_artifact
from protocol.disputes import seat_at
from scripts.deployment_plan import Web3Deployer
from tests.contracts.libraries.conftest import vectors
from tests.contracts.world import World, rewound


@pytest.fixture
def rules(courthouse: World) -> Any:
    with rewound(courthouse):
        at = Web3Deployer(courthouse.web3, courthouse.address("deployer")).deploy("DisputesMock")
        abi = load_artifact("DisputesMock").abi
        yield courthouse.web3.eth.contract(address=World.checksum(at), abi=abi)


def word(text: str) -> bytes:
    return bytes.fromhex(text[2:])


CASES = vectors("disputes")


def test_ids_and_seeds(rules: Contract) -> None:
    """SPEC 7.144, 7.33"""
    for case in CASES["ids"]:
        node = World.checksum(case["node"])
        found = rules.functions.disputeId(case["epoch"], node, word(case["receiptHash"])).call()
        assert found == word(case["id"])
        seeds = [rules.functions.drawSeed(word(case["blockHash"]), found, at).call() for at in (0, 1)]
        assert seeds == [word(seed) for seed in case["seeds"]]


def test_draw_points(rules: Contract) -> None:
    """SPEC 7.141, 7.33"""
    for case in CASES["draws"]:
        total = sum(case["weights"])
        points = [rules.functions.drawPoint(word(case["seed"]), at, total).call() for at in range(8)]
        assert points == case["points"]
        assert [seat_at(case["weights"], point) for point in points] == case["places"]


def test_votes(rules: Contract) -> None:
    """SPEC 7.144, 7.33"""
    for case in CASES["votes"]:
        juror = World.checksum(case["juror"])
        terms = juror, case["verdict"], word(case["salt"])
        found = [rules.functions.voteDigest(word(case["id"]), at, *terms).call() for at in (0, 1)]
        assert found == [word(digest) for digest in case["digests"]]


def test_tallies(rules: Contract) -> None:
    """SPEC 7.145, 7.33"""
    for case in CASES["tallies"]:
        assert rules.functions.verdictOf(tuple(case["tally"])).call() == case["verdict"], case


def test_payouts(rules: Contract) -> None:
    """SPEC 7.148, 7.33"""
    for case in CASES["payouts"]:
        second = case["second"]
        ended = (
            int(case["bond"]),
            int(case["reward"]),
            tuple(case["first"]),
            tuple(second or (0, 0, 0)),
            second is not None,
            case["responded"],
        )
        verdict, out = rules.functions.payout(ended).call()
        assert verdict == case["verdict"]
        assert [str(amount) for amount in out] == case["payout"], case
