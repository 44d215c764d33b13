"""Loads more adapters of 10 MB than memory holds through all tiers; prints bytes accounted, bytes grown."""

import os
import sys
from pathlib import Path

import torch

from inference_worker.adapters.disk import DiskTier
from inference_worker.adapters.loader import AdapterLoader
from inference_worker.adapters.packed_file import in_own_memory
from inference_worker.adapters.packer import Loaded
from inference_worker.adapters.packing import Layout, PackedAdapter
from inference_worker.blobs.node_blobs import cid_of
from inference_worker.metrics import Metrics
from tests.inference_worker.adapters.loading import PLENTY, Inline

FLOATS, SLOTS, LOADS = 2_442_240, 16, 48
BASE = "0x" + "be" * 32


class FullSize:
    """Packed adapters of nothing in particular."""

    def load(self, cid, abort):
        return Loaded(in_own_memory(PackedAdapter(cid, Layout(8, (0, 1, 2, 3)), torch.rand(FLOATS))))


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main(folder):
    metrics = Metrics()
    disk = DiskTier(folder, PLENTY, BASE, metrics)
    loader = AdapterLoader(FullSize(), disk, SLOTS * FLOATS * 4, Inline(), Inline(), metrics)
    before, kept = 0, []
    for number in range(LOADS + 1):
        cid = cid_of(number.to_bytes(8, "big"))
        loader.release(loader.acquire(cid).cid)
        # What a request leaves behind in the heap lies just after what its adapter's load has freed.
        kept.append(bytes(1000))
        if number == 0:
            loader.evict(cid, "host")
            before = resident_bytes()
    sys.stdout.write(f"{loader.host.residency.used} {resident_bytes() - before}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
