"""Adapters packed in another process: the same bytes, the same refusals, and a death that costs one load."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from inference_worker.adapters import refusals
from inference_worker.adapters.disk import DiskTier
from inference_worker.adapters.ingest import Caps
from inference_worker.adapters.packer import PackerHere, PackingRules, Part
from inference_worker.adapters.packing_process import PackerApart, PackingProcess, PackingProcessDied
from inference_worker.blobs.node_blobs import cid_of
from inference_worker.metrics import Metrics
from tests.inference_worker.adapters.loading import PLENTY
from tests.inference_worker.adapters.peft_folders import FINGERPRINT, adapter_files, shape

RULES = PackingRules(shape(), FINGERPRINT, Caps())
CID = cid_of(b"an adapter")


@pytest.fixture(scope="module")
def process():
    made = PackingProcess()
    yield made
    made.close()


@pytest.fixture
def apart(process, tmp_path):
    return PackerApart(RULES, process, disk_in(tmp_path))


def disk_in(folder, quota=PLENTY):
    return DiskTier(folder, quota, FINGERPRINT, Metrics())


def until(holds):
    patience = threading.Event()
    for _ in range(600):
        if holds():
            return
        patience.wait(0.05)
    raise AssertionError("the condition never came true")


def pid_of(process):
    return process._apart.pid


def test_an_adapter_packed_apart_has_the_same_bytes(apart, tmp_path):
    """SPEC 4.222: also when several threads ask at once."""
    bundles = [adapter_files(seed=seed, rank=rank) for seed, rank in ((1, 8), (2, 3), (3, 16), (4, 8))]
    with ThreadPoolExecutor(4) as threads:
        loaded = list(threads.map(lambda files: apart.pack(CID, [Part(CID, files)]), bundles))
    for files, found in zip(bundles, loaded, strict=True):
        expected = PackerHere(RULES).pack(CID, [Part(CID, files)]).packed
        assert found.packed.layout == expected.layout and torch.equal(found.packed.blob, expected.blob)
        assert found.apart_seconds > 0
    assert sorted(tmp_path.iterdir()) == sorted(found.file for found in loaded)


@pytest.mark.parametrize(("quota", "kept"), [(PLENTY, True), (0, False)])
def test_its_file_is_kept_under_the_quota_or_removed(process, tmp_path, quota, kept):
    """SPEC 4.222: what is read back later is what was served at once."""
    disk = disk_in(tmp_path, quota)
    loaded = PackerApart(RULES, process, disk).pack(CID, [Part(CID, adapter_files())])
    assert disk.adopt(loaded.packed, loaded.file) is kept
    assert disk.used == sum(path.stat().st_size for path in tmp_path.iterdir())
    read = disk_in(tmp_path, quota).read(CID)
    assert torch.equal(read.blob, loaded.packed.blob) if kept else read is None
    assert not loaded.file.exists()


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"adapter_config.json": b"{}"}, refusals.FeatureUnsupported),
        ({"adapter_model.safetensors": b""}, refusals.TensorFileMalformed),
        ({"manifest.json": b'{"base_fingerprint": "0x00"}'}, refusals.WrongBase),
        ({"pickle.bin": b""}, refusals.FileNotAllowed),
    ],
)
def test_a_refusal_crosses_with_its_values(apart, change, refusal, tmp_path):
    """SPEC 4.222"""
    files = {**adapter_files(), **change}
    with pytest.raises(refusal) as here:
        PackerHere(RULES).pack(CID, [Part(CID, files)])
    with pytest.raises(refusal) as there:
        apart.pack(CID, [Part(CID, files)])
    assert str(there.value) == str(here.value) and vars(there.value) == vars(here.value)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_dies_costs_its_load_alone(tmp_path):
    """SPEC 4.222: the next load starts another."""
    process = PackingProcess()
    try:
        apart = PackerApart(RULES, process, disk_in(tmp_path))
        for _ in range(2):
            first = apart.pack(CID, [Part(CID, adapter_files())])
            os.kill(pid_of(process), signal.SIGKILL)
            with pytest.raises(PackingProcessDied, match=CID):
                apart.pack(CID, [Part(CID, adapter_files())])
            assert torch.equal(apart.pack(CID, [Part(CID, adapter_files())]).packed.blob, first.packed.blob)
    finally:
        process.close()


def test_a_process_that_dies_costs_no_load_that_waits_for_it(tmp_path):
    """SPEC 4.222"""
    process = PackingProcess()
    try:
        apart = PackerApart(RULES, process, disk_in(tmp_path))
        cids = [cid_of(name) for name in (b"a", b"b", b"c")]
        apart.pack(CID, [Part(CID, adapter_files())]).file.unlink()
        os.kill(pid_of(process), signal.SIGSTOP)
        with ThreadPoolExecutor(3) as threads:
            loads = [threads.submit(apart.pack, cid, [Part(cid, adapter_files())]) for cid in cids]
            until(lambda: len(list(tmp_path.glob("*.weights0.part"))) == 3)
            os.kill(pid_of(process), signal.SIGKILL)
            died = [cid for cid, load in zip(cids, loads, strict=True) if load.exception()]
        assert len(died) == 1 and isinstance(loads[cids.index(died[0])].exception(), PackingProcessDied)
    finally:
        process.close()


def test_closing_waits_for_the_load_in_the_process_and_for_no_other(tmp_path):
    """SPEC 4.222"""
    process = PackingProcess()
    apart = PackerApart(RULES, process, disk_in(tmp_path))
    apart.pack(CID, [Part(CID, adapter_files())]).file.unlink()
    pid = pid_of(process)
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(4) as threads:
        loads = [threads.submit(apart.pack, CID, [Part(CID, adapter_files())]) for _ in range(3)]
        until(
            lambda: any(
                item.future.running() for item in process._apart._pool._pending_work_items.copy().values()
            )
        )
        closing = threads.submit(process.close)
        until(lambda: process._apart._pool._shutdown_thread)
        os.kill(pid, signal.SIGCONT)
        closing.result()
        outcomes = [load.exception() for load in loads]
    assert [type(error) for error in outcomes if error] == [PackingProcessDied] * 2


def test_a_disk_that_takes_no_file_costs_no_load(process, tmp_path):
    """SPEC 4.103, 4.222"""
    disk = disk_in(tmp_path / "folder")
    disk.folder.rmdir()
    loaded = PackerApart(RULES, process, disk).pack(CID, [Part(CID, adapter_files())])
    expected = PackerHere(RULES).pack(CID, [Part(CID, adapter_files())]).packed
    assert torch.equal(loaded.packed.blob, expected.blob) and loaded.file is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_process_is_left_alone_by_signals_to_all(process, apart, number):
    """SPEC 4.222: Ctrl-C reaches every process of a terminal, a stop every one of a service."""
    apart.pack(CID, [Part(CID, adapter_files())])
    pid = pid_of(process)
    os.kill(pid, number)
    apart.pack(CID, [Part(CID, adapter_files())])
    assert pid_of(process) == pid


def test_an_ensemble_is_added_up_apart(apart):
    """SPEC 4.214, 4.222"""
    bundles = ((cid_of(b"a"), 250_000), (cid_of(b"b"), 750_000))
    parts = [Part(cid, adapter_files(seed=seed), ppm) for seed, (cid, ppm) in enumerate(bundles, start=1)]
    expected = PackerHere(RULES).pack(CID, parts).packed
    assert torch.equal(apart.pack(CID, parts).packed.blob, expected.blob)
