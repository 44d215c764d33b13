"""Loading never runs in the step loop, and whoever waits for a place has its adapter coming meanwhile.

The timed form, on a real base, is the suite `storm` of `make bench-openlora`.
"""

import asyncio
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.inference_worker.adapters.peft_folders import adapter_files
from tests.inference_worker.running_worker import request_body, running_worker

COLD = 100
WAIT_SECONDS = 60
# What only loads do: the modules that read files and sockets, check, unpack and pack, and the calls below
# them.
LOADING = {
    f"{folder}/{name}.py"
    for folder, names in {
        "adapters": "bundle disk fetch_room flights ingest lora_config packed_file packer tensors",
        "blobs": "abort node_blobs unix_http",
    }.items()
    for name in names.split()
}
READING = {"open", "read", "readinto", "pread", "preadv", "readv", "mmap", "stat", "scandir", "fsync"}
TALKING = {"connect", "recv", "recv_into", "recvfrom", "sendall", "sha256", "deserialize"}


class StepThread:
    """Everything that threads of one name call, as the interpreter's profile hook sees it."""

    def __init__(self, name="engine"):
        self._name, self.python, self.built_in = name, set(), set()

    def __enter__(self):
        threading.setprofile(self._saw)
        return self

    def __exit__(self, *_):
        threading.setprofile(None)

    def _saw(self, frame, event, argument):
        if threading.current_thread().name != self._name:
            sys.setprofile(None)
        elif event == "call":
            path = Path(frame.f_code.co_filename)
            self.python.add((f"{path.parent.name}/{path.name}", frame.f_code.co_name))
        elif event == "c_call":
            self.built_in.add(getattr(argument, "__name__", ""))

    def loading(self):
        """What of it belongs to a load."""
        return {call for call in self.python if call[0] in LOADING} | (self.built_in & (READING | TALKING))


class Steps:
    """Lets other threads wait for a step of the engine, by what it counts."""

    def __init__(self, metrics):
        self._count, self._stepped, self._steps = metrics.count, threading.Condition(), 0
        metrics.count = self._counted

    def _counted(self, name, *amount, **labels):
        self._count(name, *amount, **labels)
        if name == "steps_total":
            with self._stepped:
                self._steps += 1
                self._stepped.notify_all()

    def wait_for_another(self):
        with self._stepped:
            before = self._steps
            return self._stepped.wait_for(lambda: self._steps > before, WAIT_SECONDS)


def read_in_a_thread(name, path):
    thread = threading.Thread(target=path.read_bytes, name=name)
    thread.start()
    thread.join()


@pytest.mark.parametrize(("name", "caught"), [("engine", True), ("other", False)])
def test_a_read_in_the_step_thread_would_be_noticed(tmp_path, name, caught):
    """The check below can fail, and by that thread alone."""
    (tmp_path / "file").write_bytes(b"x")
    with StepThread() as seen:
        read_in_a_thread(name, tmp_path / "file")
    assert bool(seen.loading()) == caught


async def test_a_hundred_cold_adapters_load_beside_the_steps_and_never_in_them(weights, tmp_path):
    """SPEC 4.207: each fetch waits for a step that begins after it, so that none could come if it were in the
    step loop."""
    with StepThread() as seen:
        async with running_worker(weights, tmp_path) as worker:
            cids = [worker.shelf.put_bundle(adapter_files(seed=seed, rank=2)) for seed in range(COLD)]
            fetch, steps, waited = worker.shelf.fetch, Steps(worker.services.metrics), []

            def after_a_step(cid, max_bytes, abort):
                if cid in cids:
                    waited.append(steps.wait_for_another())
                return fetch(cid, max_bytes)

            worker.shelf.fetch = after_a_step
            endless = asyncio.create_task(worker.generate(max_tokens=480, request_id="stream"))
            asked = (worker.generate(adapter_cid=cid, max_tokens=2, request_id=cid) for cid in cids)
            assert {status for status, _ in await asyncio.gather(*asked)} == {200}
            assert (await endless)[0] == 200
    assert waited == [True] * COLD
    assert seen.loading() == set()
    assert ("engine/engine.py", "_steps") in seen.python


async def test_whoever_waits_for_a_place_has_its_adapter_coming_meanwhile(worker):
    """SPEC 4.207: look-ahead is the whole line, for a request has its adapter before it joins."""
    scheduler = worker.services.engine._scheduler
    scheduler.limits = replace(scheduler.limits, running=1)
    cids = [worker.shelf.put_bundle(adapter_files(seed=seed)) for seed in range(5)]
    async with worker.session() as session:
        running = await session.post("/generate", json=request_body(max_tokens=480, request_id="first"))
        await running.content.readline()
        tasks = [asyncio.create_task(worker.generate(adapter_cid=cid, request_id=cid)) for cid in cids]
        async with asyncio.timeout(WAIT_SECONDS):
            while worker.services.engine.load().waiting < len(cids):  # noqa: ASYNC110 - another thread's line
                await asyncio.sleep(0.002)
        status, load = worker.services.loader.status(), worker.services.engine.load()
        assert load.running == 1
        assert {cid: status.host[cid].leases for cid in cids} == dict.fromkeys(cids, 1)
        fetched = len(worker.shelf.fetches)
        running.close()
    assert {status for status, _ in await asyncio.gather(*tasks)} == {200}
    assert len(worker.shelf.fetches) == fetched
