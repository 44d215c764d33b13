"""An adapter loader as tests build it, and threads that are none."""

from concurrent.futures import Executor, Future

from inference_worker.adapters.bundle import BundleSource
from inference_worker.adapters.disk import DiskTier
from inference_worker.adapters.ingest import Caps
from inference_worker.adapters.loader import AdapterLoader
from inference_worker.adapters.packer import PackerHere, PackingRules
from inference_worker.metrics import Metrics
from tests.inference_worker.adapters.peft_folders import FINGERPRINT, shape

PLENTY = 10**9


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Inline(Executor):
    """Runs what it is given before it returns, so that a test is in one order."""

    def submit(self, call, *args):
        done = Future()
        done.set_result(call(*args))
        return done


def packer(caps=None, pool="float32"):
    """Packs here, for the tiny base."""
    return PackerHere(PackingRules(shape(), FINGERPRINT, caps or Caps(), pool=pool))


def make_loader(fetch, folder, budget=PLENTY, quota=PLENTY, clock=None, metrics=None, pools=None, caps=None):
    """A loader over `fetch` with its disk tier in `folder`/adapters; `pools` are (reading, fetching)."""
    metrics = metrics or Metrics()
    source = BundleSource(fetch, packer(caps))
    disk = DiskTier(folder / "adapters", quota, FINGERPRINT, metrics)
    reading, fetching = pools or (Inline(), Inline())
    return AdapterLoader(source, disk, budget, reading, fetching, metrics, clock or Clock())
