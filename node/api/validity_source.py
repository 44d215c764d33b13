"""Orders for larger validity reports, from the operator's command line to the training coordinator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Protocol

from node.blobs.store import BlobStore
from node.errors import InvalidInput, NotFound
from node.models.registry import ModelRegistry, RegisteredModel
from node.store.models import TrainingTable
from node.training.bundle import Bundle, read_bundle
from node.training.coordinator import TrainingCoordinator, ValidityOrder
from node.training.reports import Provenance, Reports
from node.training.validity_cost import Cost, cost_of
from protocol.cid import parse_cid
from protocol.manifest import decode_manifest
from protocol.types import split_version_key
from protocol.wire import JobStatus


class Desk(Protocol):
    """Where reports are ordered; models by `name` or `name@version`."""

    def show(self, model: str) -> Provenance: ...
    def cost(self, model: str, subsets: int, contributors: int) -> tuple[Cost, int | None]: ...
    async def order(self, model: str, subsets: int, contributors: int) -> str: ...
    def status(self, job_id: str) -> JobStatus: ...


class ValidityDesk:
    """Orders go on from the newest report; one that is under way is not ordered twice. `follow` watches a job
    to its end.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        table: TrainingTable,
        blobs: BlobStore,
        coordinator: TrainingCoordinator,
        follow: Callable[[str], None],
    ) -> None:
        self._registry = registry
        self._table = table
        self._blobs = blobs
        self._reports = Reports(table, blobs)
        self._coordinator = coordinator
        self._follow = follow

    def show(self, model: str) -> Provenance:
        """The newest report. Raises NotFound."""
        return self._known(self._find(model)[1], model)

    def cost(self, model: str, subsets: int, contributors: int) -> tuple[Cost, int | None]:
        """The cost of a larger report, and about how many seconds, where this node trained the adapter."""
        _, bundle = self._find(model)
        report = self._known(bundle, model).report
        manifest = decode_manifest(self._blobs.get(bundle.manifest.dataset_manifest))
        owners = len({row.owner for row in manifest.rows if row.cluster == row.index})
        cost = cost_of(report, subsets, contributors, owners)
        took = self._trained_in(bundle)
        passes = int(str(bundle.manifest.recipe.get("passes", 1)))
        return cost, None if took is None else cost.seconds(report.design.rows * passes, took)

    async def order(self, model: str, subsets: int, contributors: int) -> str:
        """The job's id. Raises InvalidInput where no questions were kept out of training."""
        registered, bundle = await asyncio.to_thread(self._find, model)
        running = await asyncio.to_thread(self._reports.unfinished, bundle)
        if running is not None:
            return running
        known = await asyncio.to_thread(self._known, bundle, model)
        if not known.report.design.held_out_cid:
            raise InvalidInput("trained without held-out questions: nothing can be asked", model=model)
        datanet, version = split_version_key(registered.terms.datanet_version_key)
        held_out = parse_cid(known.report.design.held_out_cid)
        order = ValidityOrder(datanet, version, bundle, held_out, subsets, contributors, known.cid)
        job_id = await self._coordinator.start_validity(order)
        self._follow(job_id)
        return job_id

    def status(self, job_id: str) -> JobStatus:
        """Where a job stands. Raises NotFound."""
        return self._coordinator.status(job_id)

    def _find(self, model: str) -> tuple[RegisteredModel, Bundle]:
        found = self._registry.find(model)
        if found.terms.bundle is None:
            raise InvalidInput("a bare base has no attribution to judge", model=model)
        return found, read_bundle(self._blobs, found.terms.bundle)

    def _known(self, bundle: Bundle, model: str) -> Provenance:
        found = self._reports.newest(bundle)
        if found is None:
            raise NotFound("this model came without a validity report; train it again", model=model)
        return found

    def _trained_in(self, bundle: Bundle) -> int | None:
        for job in self._table.all():
            result = json.loads(job.status_json).get("result") or {}
            if result.get("bundle_cid") == bundle.cid.text:
                return int(result["seconds"])
        return None
