"""The served models as /v1/models lists them: the latest of a name by it alone, others as name@version."""

from functools import cache

from node.api.ports import ModelCard
from node.chain.rpc import Chain
from node.errors import NotFound
from node.models.contracts import ModelStatus
from node.models.ensembles import ModelBundle
from node.models.registry import ModelRegistry, RegisteredModel
from node.serving.catalog import RegistryCatalog
from node.training.bundle import BadBundle
from node.training.reports import Provenance, Reports
from protocol.types import split_version_key


class ModelSource:
    """Satisfies `ports.Models` from the mirror of the registry, as it was last refreshed."""

    def __init__(
        self, registry: ModelRegistry, catalog: RegistryCatalog, chain: Chain, reports: Reports
    ) -> None:
        self._reports = reports
        self._registry = registry
        self._catalog = catalog
        self._contract = chain.contract("ModelRegistry")
        self._registered_at = cache(self._read_registered_at)

    def served(self) -> tuple[ModelCard, ...]:
        """Live models whose bytes are here, by id."""
        models = [one for one in self._registry.models() if one.status is ModelStatus.LIVE]
        latest = {one.name: one.version for one in models}
        cards = [self._card(one, latest[one.name] == one.version) for one in models]
        return tuple(card for card in cards if card is not None)

    def _card(self, model: RegisteredModel, is_latest: bool) -> ModelCard | None:
        try:
            bundle = self._catalog.bundle(model)
        except (NotFound, BadBundle):
            return None
        datanet, version = split_version_key(model.terms.datanet_version_key)
        return ModelCard(
            name=model.name if is_latest else f"{model.name}@{model.version}",
            model_version=model.version,
            created=self._registered_at(model.id),
            owner=model.owner,
            parent=None if bundle is None else bundle.manifest.base_name,
            root=_root(bundle),
            datanet=datanet,
            version=version,
            in_rate=model.terms.rates.in_rate,
            out_rate=model.terms.rates.out_rate,
            fixed_price=model.terms.rates.fixed,
            validity=self._validity(bundle),
        )

    def _validity(self, bundle: ModelBundle | None) -> Provenance | None:
        # Each member of an ensemble is judged under its own name.
        if bundle is None or len(bundle.members) != 1:
            return None
        return self._reports.newest(bundle.members[0].bundle)

    def _read_registered_at(self, model_id: int) -> int:
        return int(self._contract.functions.getModel(model_id).call()[3])


def _root(bundle: ModelBundle | None) -> str:
    return "" if bundle is None else bundle.cid.text
