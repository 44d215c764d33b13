"""What this node lets others check of its attributions, from its database and blobs; it changes nothing."""

from collections.abc import Mapping

from node.attribution.attributor import Versions
from node.attribution.findings import Finding
from node.attribution.recomputation import Case, Recomputation
from node.blobs.store import BlobStore
from node.chain.keccak import keccak
from node.errors import NotFound, Refused
from node.governance.parameters import ParameterMirror
from node.payments.session import Sessions
from node.receipts.issuer import stored_receipt
from node.receipts.log import stored_report
from node.serving.answer import Answer
from node.serving.model import ServedModel
from node.serving.order import Order
from node.store.database import Database
from node.store.jobs import JobStore, StoredJob
from node.store.receipts import ReceiptStore, StoredReceipt
from node.training.index_tree import BadIndex, read_listing
from protocol.attribution import Lane
from protocol.cid import parse_cid
from protocol.opening import Opening
from protocol.sampling import sampling_digest


class RecheckSource:
    """Satisfies `rechecks.Rechecks`."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        versions: Versions,
        parameters: ParameterMirror,
        sessions: Sessions,
        recomputation: Recomputation,
    ) -> None:
        self._jobs = JobStore(database)
        self._receipts = ReceiptStore(database)
        self._blobs = blobs
        self._versions = versions
        self._parameters = parameters
        self._sessions = sessions
        self._recomputation = recomputation

    def model_json(self, request_id: bytes) -> str:
        """The model as it was served. Raises NotFound."""
        return self._jobs.get(request_id).model_json

    def opening(self, request_id: bytes, api_key: str | None) -> Opening:
        """For the key of the channel that paid. Raises NotFound, Unauthenticated, Refused."""
        job = self._jobs.get(request_id)
        if api_key is None or self._sessions.authenticate(api_key).channel_id != job.channel_id:
            raise Refused("the tokens of an answer are for the API key that paid for it")
        return _opening_of(job)

    def data(self, request_id: bytes, cid: str) -> bytes:
        """Raises NotFound for anything but what this answer was attributed by."""
        if cid not in self._public(ServedModel.from_json(self._jobs.get(request_id).model_json)):
            raise NotFound("this is no public data of the answer", cid=cid)
        return self._blobs.get(parse_cid(cid))

    async def findings(self, request_id: bytes) -> tuple[Finding, ...]:
        """Recomputed through this node's own worker. Raises NotFound where there is no receipt yet."""
        job, stored = self._jobs.get(request_id), self._receipts.get(request_id)
        parameters = self._parameters.at(stored_receipt(stored).parameters_version)
        return await self._recomputation.findings(stored_case(job, stored, parameters.lane_weights))

    def _public(self, model: ServedModel) -> set[str]:
        if model.manifest_cid is None:
            return set()
        rows = {row.cid for row in self._versions.manifest(model.manifest_cid).rows if not row.gated}
        indexes = {cid for source in model.sources for cid in self._index_files(source.index_cid)}
        tokens = set() if model.tokens_cid is None else {model.tokens_cid}
        return {model.manifest_cid} | indexes | rows | tokens

    def _index_files(self, cid: str) -> tuple[str, ...]:
        """An index's listing and what it names; nothing where it is not here."""
        try:
            return (cid, *read_listing(self._blobs, parse_cid(cid)).files())
        except (NotFound, BadIndex):
            return ()


def stored_case(job: StoredJob, stored: StoredReceipt, weights: Mapping[Lane, int]) -> Case:
    """An answer of this node as it would be recomputed. Raises NotFound where the answer is gone."""
    model = ServedModel.from_json(job.model_json)
    return Case(stored_receipt(stored), stored_report(stored), _opening_of(job), model, weights)


def _opening_of(job: StoredJob) -> Opening:
    if job.result_json is None:
        raise NotFound("the request has no answer", request_id="0x" + job.request_id.hex())
    result, order = Answer.from_json(job.result_json).result, Order.from_json(job.order_json)
    sampling = sampling_digest(order.sampling, order.max_tokens, keccak)
    return Opening(result.prompt_ids, result.output_ids, sampling, job.prompt_salt, result.context)
