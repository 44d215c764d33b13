"""Stage 3 of one node over a real chain, and the catalogue that stands on it."""

from node.api.model_source import ModelSource
from node.blobs.store import BlobStore
from node.models.contracts import ModelContracts
from node.models.registry import ModelRegistry
from node.serving.catalog import RegistryCatalog
from node.store.blocks import BlockTable
from node.store.database import Database
from node.store.models import ModelTable, TrainingTable
from node.training.reports import Reports
from protocol.hashing import from_hex
from tests.node.actors import METADATA, World
from tests.node.bundles_made import BASE_FINGERPRINT, TOKENIZER_DIGEST

FINGERPRINT, TOKENIZER = from_hex(BASE_FINGERPRINT, 32), from_hex(TOKENIZER_DIGEST, 32)


class ModelStage:
    """Its parts over one database, with a base that is registered."""

    def __init__(self, world: World, database: Database) -> None:
        self.blobs = BlobStore(BlockTable(database))
        self.contracts = ModelContracts(world.chain, world.transactor("publisher", database))
        self.registry = ModelRegistry(ModelTable(database), self.blobs, self.contracts)
        self.catalog = RegistryCatalog(self.registry, self.contracts, self.blobs, TrainingTable(database))
        self.source = ModelSource(
            self.registry, self.catalog, world.chain, Reports(TrainingTable(database), self.blobs)
        )
        self.base_id = self.registry.register_base(FINGERPRINT, TOKENIZER, METADATA)
