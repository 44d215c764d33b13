"""What ProtocolParameters is deployed with: every key's kind, bounds and first value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.chain.keccak import keccak
from protocol.attribution import Lane
from protocol.parameters import DEFAULTS, MAX_ROYALTIES_PPM
from protocol.tunables import TUNABLES

if TYPE_CHECKING:
    from scripts.deployment_plan import Settings


def parameters(treasury: str, settings: Settings) -> list[tuple[bytes, int, int, int, int]]:
    """Key, kind, first value, least and greatest value of every parameter that a vote can set."""
    first = first_values(treasury, settings)
    rows = []
    for one in TUNABLES:
        # A development network's windows, and so its unbonding period, are shorter than any public one's.
        least = min(one.least, first[one.name]) if one.name == "unbondingPeriod" else one.least
        rows.append((keccak(one.name.encode()), int(one.kind), first[one.name], least, one.greatest))
    return rows


def first_values(treasury: str, settings: Settings) -> dict[str, int]:
    """What each parameter is at version 1, by name."""
    weights, s = DEFAULTS.lane_weights, settings
    return {
        "treasury": int(treasury, 16),
        "labourPpm": DEFAULTS.labour_ppm,
        "gradientWeight": weights[Lane.GRADIENT],
        "spanWeight": weights[Lane.SPAN],
        "retrievalWeight": weights[Lane.RETRIEVAL],
        "maxRoyaltiesPpm": MAX_ROYALTIES_PPM,
        "maxBatch": s.max_batch,
        "maxOutputTokens": s.max_output_tokens,
        "maxCallbackGas": s.max_callback_gas,
        "equivocationSlashPpm": s.equivocation_slash_ppm,
        "faultSlashPpm": s.fault_slash_ppm,
        "withholdingSlashPpm": s.withholding_slash_ppm,
        "jurorSlashPpm": s.juror_slash_ppm,
        "stakeToFees": s.stake_to_fees,
        "commitBond": s.commit_bond,
        "dataBond": s.data_bond,
        "disputeBond": s.dispute_bond,
        "contributionBond": s.contribution_bond,
        "minCuratorStake": s.min_curator_stake,
        "minJurorStake": s.min_juror_stake,
        "challengeWindow": s.challenge_window,
        "responseWindow": s.response_window,
        "committeeWindow": s.committee_window,
        "appealWindow": s.appeal_window,
        "unbondingPeriod": s.unbonding_period,
        "signerRevokeDelay": s.signer_revoke_delay,
        "rewardDrip": s.reward_drip,
    }
