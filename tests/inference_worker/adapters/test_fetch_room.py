"""Bytes in flight: never more than the account, in the order of coming, and nobody waits for ever."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_worker.adapters import refusals
from inference_worker.adapters.bundle import BundleSource, parse_listing
from inference_worker.adapters.fetch_room import FetchRoom
from inference_worker.adapters.ingest import Caps
from inference_worker.blobs.abort import Abort, FetchAborted
from tests.inference_worker.adapters.loading import Clock, packer
from tests.inference_worker.adapters.peft_folders import BlobShelf, adapter_files

WAIT_SECONDS = 60


class Taker:
    """A thread that takes bytes, says so, and holds them until it is told to let go."""

    def __init__(self, room, nbytes, abort=None):
        self.has, self.may_go, self.error = threading.Event(), threading.Event(), None
        self._room, self._nbytes, self.abort = room, nbytes, abort or Abort()
        self._thread = threading.Thread(target=self._run)

    def start(self):
        """Begin, and return once it holds the bytes or stands in line."""
        before = len(self._room._line)
        self._thread.start()
        # Joining the line tells nobody, so it is looked for.
        while not (self.has.wait(0.001) or len(self._room._line) > before or self.error):
            assert self._thread.is_alive()
        return self

    def _run(self):
        try:
            with self._room.taken(self._nbytes, self.abort):
                self.has.set()
                assert self.may_go.wait(WAIT_SECONDS)
        except FetchAborted as error:
            self.error = error

    def end(self):
        self.may_go.set()
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 10), min_size=1, max_size=16), st.integers(10, 25))
def test_any_number_of_fetches_stays_within_the_account_and_all_end(sizes, total):
    """SPEC 4.203"""
    room, lock, held, most, done = FetchRoom(total), threading.Lock(), [0], [0], []

    def fetch(nbytes):
        with room.taken(nbytes, Abort()):
            with lock:
                held[0] += nbytes
                most[0] = max(most[0], held[0])
            with lock:
                held[0] -= nbytes
                done.append(nbytes)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fetch, sizes))
    assert most[0] <= total and sorted(done) == sorted(sizes) and room.held == 0


def test_nobody_passes_who_came_before():
    """SPEC 4.203: a stream of small ones cannot starve a large one."""
    room = FetchRoom(10)
    first = Taker(room, 6).start()
    large = Taker(room, 10).start()
    small = [Taker(room, 1).start() for _ in range(5)]
    assert first.has.is_set() and not large.has.is_set() and not any(one.has.is_set() for one in small)
    first.end()
    assert large.has.wait(WAIT_SECONDS)
    assert room.held == 10 and not any(one.has.is_set() for one in small)
    large.end()
    for one in small:
        assert one.has.wait(WAIT_SECONDS)
        one.end()
    assert room.held == 0


def test_who_gives_up_leaves_the_line_and_takes_nothing():
    """SPEC 4.203, 4.107"""
    room = FetchRoom(10)
    first, leaving = Taker(room, 10).start(), Taker(room, 10).start()
    behind = Taker(room, 4).start()
    leaving.abort.abort("nobody waits for it any more")
    leaving.end()
    assert isinstance(leaving.error, FetchAborted) and room.held == 10
    first.end()
    assert behind.has.wait(WAIT_SECONDS) and room.held == 4
    behind.end()


def test_the_wait_does_not_count_against_the_fetch():
    """SPEC 4.203: what ends a fetch is a slow node, not the others before it."""
    clock = Clock()
    room, abort = FetchRoom(10, clock), Abort(clock)
    abort.limit(5.0)
    first = Taker(room, 10).start()
    waiting = Taker(room, 10, abort).start()
    clock.now = 100.0
    first.end()
    assert waiting.has.wait(WAIT_SECONDS)
    abort.check()
    clock.now = 105.5
    with pytest.raises(FetchAborted, match="5 seconds"):
        abort.check()
    waiting.end()


def test_bundles_are_admitted_by_what_their_listing_says():
    """SPEC 4.203: no file of a bundle is asked for before the bytes of all its files are held."""
    shelf, lock, of_a_bundle = BlobShelf(), threading.Lock(), set()
    cids = [shelf.put_bundle(adapter_files(seed=seed)) for seed in range(6)]
    sizes = {cid: sum(file.size for file in _listing(shelf, cid)) for cid in cids}
    of_a_bundle.update(file.cid for cid in cids for file in _listing(shelf, cid))
    total = 2 * max(sizes.values()) + 1
    room, most = FetchRoom(total), [0]

    def fetch(cid, max_bytes, abort):
        if cid in of_a_bundle:
            with lock:
                assert room.held >= max_bytes
                most[0] = max(most[0], room.held)
        return shelf.fetch(cid, max_bytes)

    source = BundleSource(fetch, packer(), room=room)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda cid: source.load(cid, Abort()).packed.cid, cids))
    assert found == cids and max(sizes.values()) <= most[0] <= total and room.held == 0


def test_a_bundle_that_never_fits_is_refused_before_its_files_are_fetched():
    """SPEC 4.203"""
    shelf = BlobShelf()
    cid = shelf.put_bundle(adapter_files())
    source = BundleSource(shelf.fetch, packer(), room=FetchRoom(100))
    with pytest.raises(refusals.OverCap, match="100"):
        source.load(cid, Abort())
    assert shelf.fetches == [cid]


def test_a_bundle_that_is_refused_gives_its_bytes_back():
    """SPEC 4.203"""
    shelf, room = BlobShelf(), FetchRoom()
    cid = shelf.put_bundle({**adapter_files(), "adapter_config.json": b"{}"})
    with pytest.raises(refusals.AdapterRefused):
        BundleSource(shelf.fetch, packer(), room=room).load(cid, Abort())
    assert room.held == 0


def _listing(shelf, cid):
    return parse_listing(shelf.blobs[cid], Caps())
