"""One answer with everything attached, built by the protocol's own functions so that its numbers agree."""

from node.api.ports import AnswerRecord, Part, RowView
from node.api.site_data import (
    AnswerSummary,
    EarnedLine,
    Earner,
    EarnerDetail,
    Figure,
    Governance,
    Overview,
    Parameter,
    Proposal,
    SiteData,
    Stage,
    StakedNode,
    Staking,
)
from node.chain.keccak import keccak
from protocol.attribution import AttributionReport, Entry, Lane, attribution_root
from protocol.parameters import BURN_ACCOUNT, DEFAULTS
from protocol.pricing import Rates, price
from protocol.receipt import Receipt, output_root
from protocol.rewards import Terms, receipt_lines, split_price, stakers_account
from protocol.spans import Match
from protocol.types import Address

NOW = 1_800_000_000
OPEN = 10**18


def address(number: int) -> Address:
    """A recognisable address that does not repeat its digits."""
    return Address("0x" + keccak(b"account %d" % number)[12:].hex())


ADA, BO, CLEO, OWNER, NODE = (address(number) for number in range(5))
TREASURY = address(9)
REQUEST_ID = keccak(b"the request")
RATES = Rates(3 * 10**15 + 7, 9 * 10**15 + 1, 10**12)
TEXTS = (
    " E",
    "11",
    ".",
    "9",
    ":",
    " type",
    " 2",
    " diabetes",
    " mell",
    "itus",
    " without",
    " complications",
    ".",
)
SPANS = (Match(0, 4, 4, 0), Match(5, 7, 17, 3))
ROWS = (
    RowView(4, ADA, "Type 2 diabetes mellitus without complications", "E11.9", False),
    RowView(
        17,
        BO,
        "Describe E11.9",
        "It codes type 2 diabetes mellitus without complications of any kind.",
        False,
    ),
    RowView(31, ADA, "Type 2 diabetes mellitus with hyperglycemia", "E11.65", False),
    RowView(52, CLEO, "", "", True),
)
REPORT = AttributionReport(
    (
        Entry(Lane.GRADIENT, 4, ADA, 310_000),
        Entry(Lane.GRADIENT, 31, ADA, 120_000),
        Entry(Lane.GRADIENT, 52, CLEO, 70_001),
        Entry(Lane.SPAN, 4, ADA, 61_538),
        Entry(Lane.SPAN, 17, BO, 107_693),
    ),
    330_768,
    keccak(b"method"),
)
COST = price(42, len(TEXTS), RATES)
RECEIPT = Receipt(
    request_id=REQUEST_ID,
    channel_id=keccak(b"channel"),
    seq=3,
    model_id=1,
    datanet_version_key=(1 << 64) | 2,
    prompt_digest=keccak(b"prompt"),
    output_root=output_root(range(len(TEXTS)), keccak),
    attribution_root=attribution_root(REPORT, keccak),
    method_id=REPORT.method_id,
    profile_id=keccak(b"profile"),
    parameters_version=DEFAULTS.version,
    prompt_tokens=42,
    output_tokens=len(TEXTS),
    price=COST,
    cumulative=3 * COST,
    node=NODE,
    requested_at=NOW,
    issued_at=NOW + 2,
)
TERMS = Terms(
    OWNER,
    NODE,
    stakers_account(NODE, keccak),
    TREASURY,
    labour=((CLEO, 1_000_000),),
    coverage=((ADA, 600_000), (BO, 400_000)),
)
LINES = receipt_lines(RECEIPT, COST, REPORT, TERMS, DEFAULTS)
ROLES = tuple(Part(name, amount) for name, amount in split_price(COST, DEFAULTS.split).named)
RECORD = AnswerRecord(
    request_id=REQUEST_ID,
    model="icd10-coder",
    requested_at=NOW,
    finish_reason="stop",
    prompt="Type 2 diabetes, no complications. ICD-10-CM code, and what it means?",
    token_texts=TEXTS,
    spans=SPANS,
    rows=ROWS,
    receipt=RECEIPT,
    signature=bytes(65),
    report=REPORT,
    roles=ROLES,
    earners=tuple(Part(line.earner, line.amount) for line in LINES),
    epoch=12,
    epoch_state="committed",
)
UNFINISHED = AnswerRecord(
    keccak(b"unfinished"),
    "icd10-coder",
    NOW,
    "stop",
    "What?",
    ("Yes",),
    (),
    (),
    None,
    None,
    None,
    (),
    (),
    None,
    "owed",
)
SUMMARY = AnswerSummary(
    "0x" + REQUEST_ID.hex(), "icd10-coder", NOW, COST, "committed",
    ((ADA, 491_538), (BO, 107_693), (CLEO, 70_001)), 330_768,
)  # fmt: skip
LABELS = {BURN_ACCOUNT: "burnt", TREASURY: "treasury", NODE: "operator"}
EARNERS = tuple(
    sorted(
        (
            Earner(line.earner, LABELS.get(line.earner, ""), 3 * line.amount, line.amount, 0, 3)
            for line in LINES
        ),
        key=lambda one: -one.accrued,
    )
)
NAMES = (
    "datanet",
    "training",
    "models",
    "serving",
    "attribution",
    "receipts",
    "settlement",
    "rewards",
    "governance",
)
STAGES = tuple(
    Stage(
        number,
        name,
        "what comes in",
        "what goes out",
        (Figure("counted", str(number * 7)), Figure("worth", "1.25", True)),
    )
    for number, name in enumerate(NAMES, start=1)
)


def proposal(number: int, state: str) -> Proposal:
    """A proposal in one state."""
    return Proposal(
        proposal_id=str(10**70 + number),
        title=f"Raise the contributors' part, take {number}",
        body="Why: it is their data.\nHow: setSplit.",
        state=state,
        votes_for=4_200_000 * OPEN,
        votes_against=1_300_000 * OPEN + 1,
        votes_abstain=200_000 * OPEN,
        quorum=4_000_000 * OPEN,
        snapshot=NOW + 60,
        deadline=NOW + 3700,
        executable_at=NOW + 9000,
        actions=("ProtocolParameters.setSplit((50000, 50000, 150000, 100000, 100000, 550000))",),
    )


STATES = ("pending", "active", "succeeded", "queued", "executed", "defeated", "canceled", "expired")
GOVERNANCE = Governance(
    tuple(proposal(number, state) for number, state in enumerate(STATES)),
    (Parameter("data", "50.0 %", "to the datapoints' contributors and their curators"),),
    1,
    NOW,
)


def site_data() -> SiteData:
    """Answers every question with the samples."""
    detail = EarnerDetail(
        next(one for one in EARNERS if one.account == ADA),
        (EarnedLine(SUMMARY.request_id, SUMMARY.model, NOW, 123, 12, "committed"),),
    )
    return SiteData(
        labels=LABELS,
        overview=lambda: Overview(STAGES, (SUMMARY,), 3, 3 * COST, len(EARNERS), 4711, NOW),
        recent=lambda limit: (SUMMARY,) * min(limit, 2),
        earners=lambda: EARNERS,
        earner=lambda account: detail if account == ADA else None,
        governance=lambda: GOVERNANCE,
        staking=lambda: Staking(
            (StakedNode(NODE, "", 12_500 * OPEN, 3), StakedNode(CLEO, "", 300 * OPEN, None)), 300
        ),
    )
