"""The constants of the attribution method and the identifier that receipts carry for it.

Changing any constant changes `method_id`, so an old receipt always says by which rule it was made.
"""

from __future__ import annotations

from protocol import retrieval
from protocol.canonical import canonical_json
from protocol.context import TEMPLATE
from protocol.hashing import sha256
from protocol.lanes import BASE_MICRONATS_PER_TOKEN as BASE_MICRONATS_PER_TOKEN

SKETCH_WIDTH = 1024
DAMPING = 30
FISHER_ROWS = 1 << 16
DECOYS = 96
DECOY_PERCENTILE = 99
MAD_FACTOR_PPM = 2_965_200
TOP_ROWS = 20
OTHER_QUESTIONS = 12
INFORMATIVE_PERCENTILE = 90
CODE_LIMIT = 127
SCALE_LIMIT = 65_535
WEIGHT_LIMIT = 65_536
LOSS_LIMIT = 7
LOSS_WEIGHT_LIMIT = 1 << 28
COVARIANCE_PPM = 1_000_000
MIN_ADAPTERS = 16
MAX_ADAPTERS = 96

DESCRIPTION: dict[str, object] = {
    "name": "lora-gradient-sketch+span-1",
    "v": 1,
    "gradient": "per-row LoRA gradient of the mean answer loss, shared prompt start held constant, fp32",
    "precondition": "second moment to the power -1/4 on both sides, float16",
    "sketch": {"kind": "block permutation with signs, SplitMix64", "width": SKETCH_WIDTH},
    "rows": "clip at median norm; sign bit and 16-bit mean magnitude per checkpoint",
    "query": {"code": "int8 absmax, half to even", "fisher_damping": DAMPING, "fisher_rows": FISHER_ROWS},
    "threshold": {
        "eligible_of_decoys": DECOYS,
        "percentile": DECOY_PERCENTILE,
        "median_plus_mad_ppm": MAD_FACTOR_PPM,
    },
    "informative": {"other_questions": OTHER_QUESTIONS, "beaten_percent": INFORMATIVE_PERCENTILE},
    "cluster": "largest member, once, canonical row",
    "top_rows": TOP_ROWS,
    "unattributed": {
        "null": "mean decoy excess over all rows",
        "base_micronats_per_token": BASE_MICRONATS_PER_TOKEN,
    },
    "span": "span-1",
    "retrieval": {
        "rule": retrieval.RULE,
        "template": TEMPLATE,
        "exact_rows": retrieval.EXACT_ROWS,
        "drawn_orders": retrieval.DRAWN_ORDERS,
        "nulls": retrieval.NULLS,
        "most_tokens": retrieval.MAX_MEASURED_TOKENS,
    },
}


COVARIANCE: dict[str, object] = {
    "rows": "int4 mean answer losses under adapters trained on halves, without each row's mean and the common"
    " part, clipped at median norm; 16-bit magnitude",
    "query": "int8 absmax, half to even",
    "weight": "median absolute deviation of the signs' scores over that of the losses'",
    "ppm": COVARIANCE_PPM,
}


def method_id(losses: bool = False) -> bytes:
    """sha256 of the canonical description, with that of the covariance path where the index has losses: 32
    bytes.
    """
    return sha256(canonical_json({**DESCRIPTION, "covariance": COVARIANCE} if losses else DESCRIPTION))
