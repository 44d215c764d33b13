"""The disk tier: quota, order of use, and the old bytes or the new ones after a kill at any moment."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference_worker.adapters.disk import DiskTier
from inference_worker.adapters.packed_file import HEADER_BYTES, PackedFileBad, PackedFileStale, payload_bytes
from inference_worker.adapters.packing import PackedAdapter
from inference_worker.metrics import Metrics
from tests.inference_worker.adapters.small_adapters import BASE, CIDS, LAYOUT, small, tier


def test_a_new_process_finds_what_the_last_one_wrote(tmp_path):
    """SPEC 4.101"""
    packed = small(4)
    assert tier(tmp_path).write(packed)
    again = tier(tmp_path)
    assert CIDS[4] in again and again.payload(CIDS[4]) == payload_bytes(packed) == packed.nbytes
    assert torch.equal(again.read(CIDS[4]).blob, packed.blob)
    assert again.read(CIDS[1]) is None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    actions=st.lists(
        st.tuples(st.sampled_from(["write", "read", "drop", "restart"]), st.integers(0, 9)), max_size=30
    ),
    files=st.integers(1, 6),
)
def test_the_quota_holds_and_the_least_recently_used_goes(tmp_path_factory, actions, files):
    """SPEC 4.103"""
    folder = tmp_path_factory.mktemp("disk")
    size = HEADER_BYTES + payload_bytes(small(0))
    clock = iter(range(10**9, 10**15, 10**9))
    quota, order = files * size + size // 2, []

    def fresh():
        return DiskTier(folder, quota, BASE, Metrics(), lambda: next(clock))

    disk = fresh()
    for action, number in actions:
        cid = CIDS[number]
        if action == "write":
            assert disk.write(small(number))
            order = [c for c in order if c != cid][-(files - 1) :] if files > 1 else []
            order.append(cid)
        elif action == "read":
            found = disk.read(cid)
            assert (found is not None) == (cid in order)
            if found is not None:
                assert torch.equal(found.blob, small(number).blob)
                order.remove(cid)
                order.append(cid)
        elif action == "drop":
            assert disk.drop(cid) == (cid in order)
            order = [c for c in order if c != cid]
        else:
            disk = fresh()
        assert list(disk.sizes()) == order
        assert disk.used == sum(path.stat().st_size for path in folder.iterdir()) <= quota


def test_a_smaller_quota_removes_the_oldest_at_the_start_and_counts_it(tmp_path):
    """SPEC 4.103"""
    disk, metrics = tier(tmp_path), Metrics()
    for number in range(4):
        disk.write(small(number))
    size = disk.used // 4
    assert list(tier(tmp_path, 2 * size, metrics=metrics).sizes()) == CIDS[2:4]
    assert metrics.value("adapter_evictions_total", tier="disk") == 2


def test_an_adapter_above_the_quota_removes_nothing(tmp_path):
    """SPEC 4.103"""
    size = HEADER_BYTES + payload_bytes(small(0))
    disk = tier(tmp_path, 2 * size)
    disk.write(small(0))
    assert not disk.write(small(1, floats=10_000))
    assert list(disk.sizes()) == [CIDS[0]] and disk.used == size


@pytest.mark.parametrize("fresh", [False, True], ids=["same process", "next process"])
@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "empty"])
def test_a_file_that_was_changed_is_noticed_and_removed(tmp_path, fresh, damage):
    """SPEC 4.102"""
    disk = tier(tmp_path)
    disk.write(small(0))
    assert disk.read(CIDS[0]) is not None
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[-5] ^= 16
    path.write_bytes({"flip": data, "cut": data[:-64], "grow": data + b"\0" * 64, "empty": b""}[damage])
    disk = tier(tmp_path) if fresh else disk
    with pytest.raises(PackedFileBad):
        disk.read(CIDS[0])
    assert disk.read(CIDS[0]) is None and disk.used == 0 and not list(tmp_path.iterdir())


def test_a_file_of_another_base_is_removed(tmp_path):
    """SPEC 4.102"""
    tier(tmp_path, base="0x00").write(small(0))
    disk = tier(tmp_path)
    with pytest.raises(PackedFileStale):
        disk.read(CIDS[0])
    assert not list(tmp_path.iterdir())


def test_a_file_that_somebody_removed_is_a_miss(tmp_path):
    """SPEC 4.102"""
    disk = tier(tmp_path)
    disk.write(small(0))
    next(tmp_path.iterdir()).unlink()
    assert disk.read(CIDS[0]) is None and disk.used == 0


def test_foreign_files_stay_and_unfinished_ones_go(tmp_path):
    """SPEC 4.103"""
    for name in ("notes.txt", "..packed", "bafkreifoo.packed", f"{CIDS[0]}.part"):
        (tmp_path / name).write_bytes(b"x")
    disk = tier(tmp_path)
    assert disk.used == 0 and not disk.sizes()
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "..packed", "bafkreifoo.packed"}


def test_a_name_that_is_no_content_id_makes_no_file(tmp_path):
    """SPEC 4.103"""
    disk = tier(tmp_path / "inner")
    for name in ("../evil", CIDS[0].upper(), "", "a" * 59):
        with pytest.raises(ValueError, match="CID"):
            disk.write(PackedAdapter(name, LAYOUT, torch.zeros(16)))
    assert not list((tmp_path / "inner").iterdir()) and len(list(tmp_path.iterdir())) == 1
    assert disk.used == 0


def test_a_disk_that_refuses_leaves_nothing_behind(tmp_path, monkeypatch):
    """SPEC 4.103"""
    disk = tier(tmp_path)
    disk.write(small(0))
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "no space left")))
    for number in (0, 1):
        with pytest.raises(OSError, match="no space"):
            disk.write(small(number))
    assert disk.used == 0 and not disk.sizes() and not list(tmp_path.iterdir())


def test_readers_and_writers_together_see_whole_adapters(tmp_path):
    """SPEC 4.103"""
    size = HEADER_BYTES + payload_bytes(small(0))
    disk, wrong = tier(tmp_path, 4 * size), []

    def work(seed):
        for step in range(40):
            number = (seed * 7 + step * 3) % 10
            if (found := disk.read(CIDS[number])) is None:
                disk.write(small(number))
            elif not torch.equal(found.blob, small(number).blob):
                wrong.append(number)
            if disk.used > disk.quota:
                wrong.append("quota")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert disk.used == sum(path.stat().st_size for path in tmp_path.iterdir())


KILLED = """
import json, os, signal, sys
from pathlib import Path
from tests.inference_worker.adapters.small_adapters import small, tier

CALLS = {"open": 1, "write": 2, "utime": 1, "fsync": 2, "replace": 1}

def die_at(name, count, after):
    real, seen = getattr(os, name), [0]
    def call(*arguments, **named):
        seen[0] += 1
        if seen[0] == count and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*arguments, **named)
        if seen[0] == count and after:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(os, name, call)

root, outcomes = Path(sys.argv[1]), []
for old in (False, True):
    for name, counts in CALLS.items():
        for count in range(1, counts + 1):
            for after in (False, True):
                folder = root / f"{old}-{name}-{count}-{after}"
                disk = tier(folder)
                if old:
                    disk.write(small(0, floats=128))
                child = os.fork()
                if not child:
                    die_at(name, count, after)
                    disk.write(small(0))
                    os._exit(0)
                status = os.waitpid(child, 0)[1]
                outcomes.append((str(folder), old, os.WTERMSIG(status)))
print(json.dumps(outcomes))
"""


def test_a_kill_at_any_moment_leaves_the_old_bytes_or_the_new_ones(tmp_path):
    """SPEC 4.104"""
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True)
    outcomes = json.loads(done.stdout) if done.returncode == 0 else pytest.fail(done.stderr)
    assert len(outcomes) == 28 and all(signal == 9 for _, _, signal in outcomes)
    seen = set()
    for folder, old, _ in outcomes:
        disk = tier(Path(folder))
        found = disk.read(CIDS[0])
        seen.add((old, None if found is None else found.blob.numel()))
        assert found is None or torch.equal(found.blob, small(0, found.blob.numel()).blob)
        assert [path.suffix for path in Path(folder).iterdir()] == ([] if found is None else [".packed"])
        assert disk.write(small(0)) and disk.read(CIDS[0]).blob.numel() == 64
    assert seen == {(False, None), (False, 64), (True, 128), (True, 64)}
