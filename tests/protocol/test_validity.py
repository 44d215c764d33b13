import json
import random
from dataclasses import replace

import pytest

from protocol.canonical import canonical_json
from protocol.errors import ProtocolError
from protocol.validity import MAX_VALIDITY_BYTES, decode_validity, encode_validity
from tests.protocol.validity_made import made_report


def altered(**changes: object) -> bytes:
    return canonical_json(json.loads(encode_validity(made_report())) | changes)


def test_a_report_comes_back_as_it_was_written() -> None:
    """SPEC 5.222"""
    report = made_report()
    assert decode_validity(encode_validity(report)) == report
    bare = replace(
        report,
        retrainings=(),
        halves=None,
        contributors=None,
        payouts=None,
        absences=(),
        decoy_share=None,
        general_unattributed=None,
    )
    assert decode_validity(encode_validity(bare)) == bare and bare.questions == 0


def test_kappa_follows_from_the_payouts_measured() -> None:
    """SPEC 5.222"""
    told = json.loads(encode_validity(made_report()))
    assert told["kappa_ppm"] == made_report().shrinkage.kappa_ppm
    better = replace(made_report(), payouts=None)
    assert better.shrinkage.kappa_ppm != told["kappa_ppm"]


@pytest.mark.parametrize(
    "changes",
    [
        {"kappa_ppm": 1_000_000},
        {"rho_ppm": 1_000_000},
        {"payouts": [900_000, 800_000, 1_000_000]},
        {"payouts": [900_000, 800_000]},
        {"payouts": [600_000, 700_000, 500_000]},
        {"halves": {"estimator": "per question"}},
        {"seed": "18446744073709551616"},
        {"adapter_sha256": "0x12"},
        {"v": 2},
        {"note": "unknown field"},
        {"absences": [{"owner": "alice", "rows": 3, "effect": [0, 0, 0]}]},
    ],
)
def test_a_report_that_says_what_its_figures_do_not_is_refused(changes: dict[str, object]) -> None:
    """SPEC 5.222"""
    with pytest.raises(ProtocolError):
        decode_validity(altered(**changes))


def test_retrainings_that_contradict_each_other_are_refused() -> None:
    """SPEC 5.222"""
    report = made_report()
    first, *others = report.retrainings
    for wrong in (
        (first, first, *others),
        (replace(first, losses=(1,)), *others),
        (replace(first, owner="0x" + "aa" * 20), *others),
        # Payouts were measured on contributors left out, so these cannot be missing.
        tuple(one for one in report.retrainings if one.kind != "without"),
    ):
        with pytest.raises(ProtocolError):
            decode_validity(encode_validity(replace(report, retrainings=wrong)))


def test_arbitrary_bytes_are_read_or_refused_and_nothing_else() -> None:
    """SPEC 5.222"""
    data, drawn = encode_validity(made_report()), random.Random(7)
    for _ in range(400):
        broken = bytearray(data)
        for _ in range(drawn.randint(1, 4)):
            broken[drawn.randrange(len(broken))] = drawn.randrange(256)
        try:
            decode_validity(bytes(broken))
        except ProtocolError:
            continue
    with pytest.raises(ProtocolError):
        decode_validity(b" " * (MAX_VALIDITY_BYTES + 1))
