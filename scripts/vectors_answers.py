"""Golden cases of one answer and its money: receipts, vouchers, attribution, splits and epochs."""

from collections.abc import Sequence

from node.chain.keccak import keccak
from protocol.attribution import (
    AttributionReport,
    Lane,
    LaneUnits,
    attribution_root,
    entries_root,
    entry_leaves,
    merge,
    published,
)
from protocol.eip712 import channels_domain, receipts_domain, typed_digest
from protocol.epoch import (
    Commitment,
    Statement,
    build_commitment,
    claim_proof,
    cumulative_leaf,
    entry_leaf,
    receipt_proof,
    statement_leaves,
    statement_root,
)
from protocol.epoch_json import encode_statement, report_to_json, root_to_json
from protocol.hashing import sha256, to_hex
from protocol.influence import Influence, Measured, ScoredRow
from protocol.lane_lists import lane_hash
from protocol.manifest import (
    Manifest,
)
from protocol.parameters import DEFAULTS
from protocol.receipt import (
    CHANNEL_TYPE,
    RECEIPT_TYPE,
    VOUCHER_TYPE,
    Channel,
    Voucher,
    channel_id,
    hash_receipt,
    hash_voucher,
    receipt_leaf,
    receipt_to_json,
    receipts_sum_root,
    voucher_to_json,
)
from protocol.rewards import Terms, receipt_lines, split_price
from protocol.shares import scores_to_shares
from protocol.spans import Match, SpanFinds
from protocol.sumtree import prove_sum
from protocol.types import Address
from scripts.vectors_samples import (
    CHAIN_ID,
    GENESIS,
    Case,
    account,
    domain_json,
    leaf_json,
    proof_json,
    receipts_of,
    sample_manifest,
    sample_receipt,
    sample_terms,
    word,
)


def receipt() -> Case:
    domain = receipts_domain(CHAIN_ID, account("EpochSettlement"))
    receipts = receipts_of("node a", "x", (0, 1, 5 * 10**15, 2**100))
    return {
        "type": RECEIPT_TYPE,
        "domain": domain_json(domain),
        "cases": [
            {
                "receipt": receipt_to_json(receipt),
                "structHash": to_hex(hash_receipt(receipt, keccak)),
                "digest": to_hex(typed_digest(domain, hash_receipt(receipt, keccak), keccak)),
            }
            for receipt in receipts
        ],
        "receiptsRoot": root_to_json(receipts_sum_root(receipts, keccak)),
        "proofs": [
            proof_json(prove_sum([receipt_leaf(one, keccak) for one in receipts], place, keccak))
            for place in range(len(receipts))
        ],
    }


def voucher() -> Case:
    domain = channels_domain(CHAIN_ID, account("PaymentChannels"))
    channel = Channel(account("payer"), account("node a"), 86_400, word("salt"))
    identity = channel_id(channel, domain, keccak)
    receipts = receipts_of("node a", "x", (10, 20, 30))
    root = receipts_sum_root(receipts, keccak)
    vouchers = [
        Voucher(identity, 0, 0, bytes(32), GENESIS),
        Voucher(identity, root.total, root.count, root.digest, GENESIS + 3600),
    ]
    return {
        "types": {"Channel": CHANNEL_TYPE, "Voucher": VOUCHER_TYPE},
        "domain": domain_json(domain),
        "channel": {
            "payer": channel.payer,
            "payee": channel.payee,
            "withdrawDelay": channel.withdraw_delay,
            "salt": to_hex(channel.salt),
        },
        "channelId": to_hex(identity),
        "cases": [
            {
                "voucher": voucher_to_json(voucher),
                "structHash": to_hex(hash_voucher(voucher, keccak)),
                "digest": to_hex(typed_digest(domain, hash_voucher(voucher, keccak), keccak)),
            }
            for voucher in vouchers
        ],
    }


def attribution() -> Case:
    manifest = sample_manifest()
    gradient = LaneUnits(Lane.GRADIENT, ((0, 700), (3, 650), (4, 11), (5, 40)), 99, True)
    span = SpanFinds((Match(1, 5, 0, 2), Match(4, 4, 3, 0), Match(9, 3, 5, 1)), 13, True)
    retrieval = LaneUnits(Lane.RETRIEVAL, ((1, 1), (2, 2)), 0, True)
    lanes: dict[str, tuple[LaneUnits | SpanFinds, ...]] = {
        "gradient and span": (gradient, span),
        "all three": (gradient, span, retrieval),
        "span could not run": (gradient, SpanFinds((), 0, False)),
        "nothing found": (LaneUnits(Lane.GRADIENT, (), 0, True), SpanFinds((), 8, True)),
    }
    return {
        "rows": [
            {"owner": row.owner, "cluster": row.cluster, "consent": row.consent} for row in manifest.rows
        ],
        "cases": [_attribution_case(name, found, manifest) for name, found in lanes.items()],
        "shares": [
            {"units": list(units), "total": total, "shares": list(scores_to_shares(units, total))}
            for units, total in (
                ((1, 1, 1), 1_000_000),
                ((0, 0, 0), 7),
                ((5, 0, 3, 9), 10**18 + 1),
                ((2,), 0),
            )
        ],
    }


def _attribution_case(name: str, lanes: Sequence[LaneUnits | SpanFinds], manifest: Manifest) -> Case:
    influence = [_influence_of(found) for found in lanes if found.lane is Lane.GRADIENT]
    report = merge(lanes, DEFAULTS.lane_weights, manifest, word("method"), (), influence)
    counts = [found.count for found in lanes if isinstance(found, SpanFinds)]
    return {
        "name": name,
        "lanes": [_lane_json(found) for found in lanes],
        "outputTokens": counts[0] if counts else 0,
        "report": report_to_json(report),
        "leaves": [leaf_json(leaf) for leaf in entry_leaves(report.stated, keccak)],
        "laneHashes": [to_hex(lane_hash(part, keccak)) for part in report.lists.bound],
        "entriesRoot": to_hex(entries_root(report.stated, keccak)),
        "root": to_hex(attribution_root(report, keccak)),
    }


def _influence_of(found: LaneUnits | SpanFinds) -> Influence:
    """Scores above 0 that make these units."""
    assert isinstance(found, LaneUnits)
    rows = tuple(ScoredRow(row, row, 1 + row, units) for row, units in found.units)
    return Influence(word("index"), word("code"), Measured(0, found.unattributed, 1, 0), rows)


def _lane_json(found: LaneUnits | SpanFinds) -> Case:
    named = {"lane": found.lane.name.lower(), "ran": found.ran}
    if isinstance(found, SpanFinds):
        matches = [[match.start, match.length, match.row, match.row_start] for match in found.matches]
        return {**named, "matches": matches, "count": found.count}
    return {**named, "units": [list(pair) for pair in found.units], "unattributed": found.unattributed}


def split() -> Case:
    manifest = sample_manifest()
    report = merge(
        (LaneUnits(Lane.GRADIENT, ((0, 3), (1, 1)), 2, True), SpanFinds((Match(0, 4, 2, 0),), 5, True)),
        DEFAULTS.lane_weights,
        manifest,
        word("method"),
    )
    full = sample_terms(manifest)
    bare = Terms(full.owner, full.operator, full.stakers_account, full.treasury)
    return {
        "parts": list(DEFAULTS.split.parts),
        "report": report_to_json(report),
        "stakers": {"node": account("node a"), "account": full.stakers_account},
        "cases": [
            _split_case(price, paid, terms, report)
            for terms in (full, bare)
            for price, paid in ((10**15, 10**15), (10**15, 10**15 // 3), (7, 7), (1, 1), (0, 0))
        ],
    }


def _split_case(price: int, paid: int, terms: Terms, report: AttributionReport) -> Case:
    receipt = sample_receipt("node a", "x", 1, price, price)
    amounts = split_price(paid, DEFAULTS.split)
    lines = receipt_lines(receipt, paid, report, terms, DEFAULTS)
    return {
        "price": str(price),
        "paid": str(paid),
        "terms": {
            "owner": terms.owner,
            "operator": terms.operator,
            "stakers": terms.stakers_account,
            "treasury": terms.treasury,
            "royalties": [list(pair) for pair in terms.royalties],
            "labour": [list(pair) for pair in terms.labour],
            "coverage": [list(pair) for pair in terms.coverage],
        },
        "roles": [str(getattr(amounts, name)) for name in amounts.__slots__],
        "lines": [{"earner": line.earner, "amount": str(line.amount)} for line in lines],
    }


def epoch() -> Case:
    previous: dict[Address, int] = {}
    epochs = []
    for epoch in (4, 5):
        statements = [_statement(node, epoch) for node in ("node a", "node b")]
        commitment = build_commitment(epoch, statements, previous, keccak)
        epochs.append(_epoch_case(commitment, statements, sum(previous.values())))
        previous = dict(commitment.cumulative)
    return {"genesis": GENESIS, "epochs": epochs}


def _epoch_case(commitment: Commitment, statements: Sequence[Statement], previous_total: int) -> Case:
    stated = [(one, receipt) for one in sorted(statements, key=_by_node) for receipt in one.receipts]
    return {
        "epoch": commitment.epoch,
        "previousTotal": str(previous_total),
        "total": str(commitment.total),
        "entryRoot": root_to_json(commitment.entry_root),
        "cumRoot": root_to_json(commitment.cum_root),
        "statements": [_statement_case(statement) for statement in statements],
        "entries": [
            {"earner": entry.earner, "node": entry.node, **leaf_json(entry_leaf(entry, keccak))}
            for entry in commitment.entries
        ],
        "claims": [
            {
                "account": who,
                **leaf_json(cumulative_leaf(who, amount)),
                "proof": proof_json(claim_proof(commitment, who, keccak)),
            }
            for who, amount in commitment.cumulative
        ],
        "receipts": [
            {
                "receipt": receipt_to_json(receipt),
                **leaf_json(receipt_leaf(receipt, keccak)),
                "proof": proof_json(receipt_proof(statement, receipt, keccak)),
            }
            for statement, receipt in stated
        ],
    }


def _by_node(statement: Statement) -> str:
    return statement.node


def _statement_case(statement: Statement) -> Case:
    return {
        "node": statement.node,
        "sha256": to_hex(sha256(encode_statement(statement))),
        "root": root_to_json(statement_root(statement, keccak)),
        "receiptsRoot": root_to_json(receipts_sum_root(statement.receipts, keccak)),
        "lines": [
            {"earner": line.earner, "requestId": to_hex(line.request_id), **leaf_json(leaf)}
            for line, leaf in zip(statement.lines, statement_leaves(statement, keccak), strict=True)
        ],
    }


def _statement(node: str, epoch: int) -> Statement:
    manifest = sample_manifest()
    report = merge(
        (LaneUnits(Lane.GRADIENT, ((0, 3), (1, epoch)), 2, True),), DEFAULTS.lane_weights, manifest, word("m")
    )
    receipts = sorted(receipts_of(node, f"{node} {epoch}", (10**15, 7, 3 * 10**14)), key=lambda one: one.seq)
    lines = [
        line
        for one in receipts
        for line in receipt_lines(one, one.price, report, sample_terms(manifest, node), DEFAULTS)
    ]
    return Statement(
        account(node), epoch, tuple(sorted(lines)), tuple(receipts), (published(report),) * len(receipts)
    )
