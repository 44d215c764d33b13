"""The front page and the earnings, read from the node's own tables and two contracts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from web3.contract import Contract

from node.api.answer_source import AnswerSource
from node.api.display import grouped, percent, rounded
from node.api.receipts import by_owner
from node.api.site_data import (
    AnswerSummary,
    EarnedLine,
    Earner,
    EarnerDetail,
    Figure,
    Overview,
    Stage,
)
from node.chain.rpc import Chain
from node.governance.parameters import ParameterMirror
from node.receipts.issuer import stored_receipt
from node.receipts.log import stored_report
from node.rewards.claims import Claims
from node.serving.model import ServedModel
from node.store.database import Database
from node.store.jobs import JobStore
from node.store.overview import OverviewStore
from node.store.receipts import ReceiptStore, StoredReceipt
from protocol.types import TOTAL_PPM, parse_address

FRONT_PAGE_ANSWERS = 8
LINES_OF_EARNER = 200
MAX_EARNERS = 200
RECENT_FOR_MEAN = 100


@dataclass(frozen=True)
class Counters:
    """What only other stages know: how many models are served, and trainings by state."""

    models: Callable[[], int]
    trainings: Callable[[], Mapping[str, int]]


class LedgerSource:
    """Reads what was answered, earned and settled. `labels` names accounts that stand for a role."""

    def __init__(
        self,
        database: Database,
        chain: Chain,
        answers: AnswerSource,
        parameters: ParameterMirror,
        claims: Claims,
        counters: Counters,
        labels: Mapping[str, str],
    ) -> None:
        self._jobs = JobStore(database)
        self._receipts = ReceiptStore(database)
        self._counts = OverviewStore(database)
        self._chain = chain
        self._answers = answers
        self._parameters = parameters
        self._claims = claims
        self._counters = counters
        self._labels = labels

    def overview(self) -> Overview:
        """The front page."""
        head = self._chain.head()
        answers, turnover = self._receipts.totals()
        return Overview(
            stages=self.stages(),
            recent=self.recent(FRONT_PAGE_ANSWERS),
            answers=answers,
            turnover=turnover,
            contributors=len(self._counts.earners()),
            head=head.number,
            chain_time=head.timestamp,
        )

    def recent(self, limit: int) -> tuple[AnswerSummary, ...]:
        """The latest answers with a receipt, newest first."""
        return tuple(self._summary(stored) for stored in self._receipts.page(limit))

    def earners(self) -> tuple[Earner, ...]:
        """Every account that accrued something, most first."""
        totals, answers = self._receipts.accrued_totals(), self._counts.earners()
        order = sorted(totals, key=lambda account: (-totals[account], account))
        return tuple(self._earner(one, totals[one], answers[one]) for one in order[:MAX_EARNERS])

    def earner(self, account: str) -> EarnerDetail | None:
        """One account and its answers, newest first; None where it never earned anything here."""
        accruals = self._receipts.accruals_by(account, LINES_OF_EARNER)
        if not accruals:
            return None
        totals, answers = self._receipts.accrued_totals(), self._counts.earners()
        earner = self._earner(account, totals[account], answers[account])
        return EarnerDetail(earner, tuple(self._line(one.request_id, one.amount) for one in accruals))

    def stages(self) -> tuple[Stage, ...]:
        """The nine stages."""
        answered, (_, turnover) = self._counts.answered(), self._receipts.totals()
        return (
            *self._making_stages(),
            Stage(4, "serving", "a prompt", "a completion, streamed", (
                Figure("answers", grouped(answered.answered + answered.receipted)),
                Figure("open now", grouped(answered.accepted)),
                Figure("given up, not charged", grouped(answered.abandoned)),
            )),
            self._attribution_stage(),
            Stage(6, "receipts", "an answer and its shares", "a signed receipt", (
                Figure("signed", grouped(answered.signed)),
                Figure("worth", rounded(turnover), money=True),
            )),
            *self._paying_stages(),
        )  # fmt: skip

    def numbers(self) -> dict[str, dict[str, int | str]]:
        """The same for programs, by stage name."""
        return {stage.name: {one.label: one.value for one in stage.figures} for stage in self.stages()}

    def _making_stages(self) -> tuple[Stage, ...]:
        rows, trainings = self._counts.contributions(), self._counters.trainings()
        return (
            Stage(1, "datanet", "files and rows", "an immutable version", (
                Figure("rows offered", grouped(rows.rows)),
                Figure("rows accepted", grouped(rows.accepted)),
                Figure("contributors", grouped(rows.contributors)),
                Figure("versions", grouped(rows.versions)),
            )),
            Stage(2, "training", "a version and a base model", "an adapter and its index", tuple(
                Figure(state, grouped(count)) for state, count in trainings.items()
            ) or (Figure("trainings", "0"),)),
            Stage(3, "models", "an adapter", "a registered model with price and parents", (
                Figure("served here", grouped(self._counters.models())),
            )),
        )  # fmt: skip

    def _attribution_stage(self) -> Stage:
        reports = [stored_report(stored) for stored in self._receipts.page(RECENT_FOR_MEAN)]
        traced = sum(TOTAL_PPM - report.unattributed_ppm for report in reports) // max(1, len(reports))
        rows = {(entry.owner, entry.row) for report in reports for entry in report.entries}
        return Stage(5, "attribution", "prompt and completion", "shares by datapoint", (
            Figure("traced to a source, mean", percent(traced) if reports else "–"),
            Figure("datapoints credited", grouped(len(rows))),
        ))  # fmt: skip

    def _paying_stages(self) -> tuple[Stage, ...]:
        committed, final = self._counts.epochs()
        accrued = sum(self._receipts.accrued_totals().values())
        claimed = int(self._distributor.functions.totalClaimed().call())
        return (
            Stage(7, "settlement", "an epoch's receipts", "one final root", (
                Figure("epochs committed", grouped(committed)),
                Figure("epochs final", grouped(final)),
            )),
            Stage(8, "rewards", "a final root", "claims by everyone who helped", (
                Figure("accrued", rounded(accrued), money=True),
                Figure("claimed on chain", rounded(claimed), money=True),
            )),
            Stage(9, "governance", "a vote", "a parameter that nodes obey", (
                Figure("proposals", grouped(int(self._governor.functions.proposalCount().call()))),
                Figure("parameters version", grouped(self._parameters.current().version)),
            )),
        )  # fmt: skip

    @property
    def _distributor(self) -> Contract:
        return self._chain.contract("RewardDistributor")

    @property
    def _governor(self) -> Contract:
        return self._chain.contract("OpenGovernor")

    def _earner(self, account: str, accrued: int, answers: int) -> Earner:
        standing = self._claims.entitlement(parse_address(account))
        label = self._labels.get(account, "")
        return Earner(account, label, accrued, standing.cumulative, standing.claimed, answers)

    def _summary(self, stored: StoredReceipt) -> AnswerSummary:
        job, report = self._jobs.get(stored.request_id), stored_report(stored)
        _, state = self._answers.settlement(stored_receipt(stored))
        return AnswerSummary(
            request_id="0x" + stored.request_id.hex(),
            model=ServedModel.from_json(job.model_json).name,
            requested_at=job.requested_at,
            price=stored.price,
            state=state,
            shares=by_owner(report),
            unattributed_ppm=report.unattributed_ppm,
        )

    def _line(self, request_id: bytes, earned: int) -> EarnedLine:
        job = self._jobs.get(request_id)
        epoch, state = self._answers.settlement(stored_receipt(self._receipts.get(request_id)))
        model = ServedModel.from_json(job.model_json).name
        return EarnedLine("0x" + request_id.hex(), model, job.requested_at, earned, epoch, state)
