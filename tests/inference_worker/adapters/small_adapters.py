"""Packed adapters of a few bytes for the tests of tiers, which do not look inside them."""

import torch

from inference_worker.adapters.disk import DiskTier
from inference_worker.adapters.packing import Layout, PackedAdapter
from inference_worker.blobs.node_blobs import cid_of
from inference_worker.metrics import Metrics

BASE = "0x" + "ab" * 32
CIDS = [cid_of(bytes([n])) for n in range(10)]
LAYOUT = Layout(8, (3,))


def small(number, floats=64):
    return PackedAdapter(CIDS[number], LAYOUT, torch.full((floats,), float(number)))


def tier(folder, quota=10**9, base=BASE, metrics=None):
    return DiskTier(folder, quota, base, metrics or Metrics())
