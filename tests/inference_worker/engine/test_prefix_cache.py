"""Names of prompt beginnings, and what is found by them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from inference_worker.engine.pieces import cuts_within
from inference_worker.engine.prefix_cache import PrefixCache, name_pieces
from inference_worker.metrics import Metrics

FIRST, LONGEST = 4, 8
OWNERS = st.tuples(st.sampled_from([None, "a", "b"]), st.sampled_from(["t", "u"]))
PROMPTS = st.lists(st.integers(0, 2), min_size=1, max_size=30)


def pieces_of(owner, prompt):
    return name_pieces(*owner, prompt, cuts_within(len(prompt), FIRST, LONGEST))


def shared(one, other):
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    return count


@given(OWNERS, PROMPTS, OWNERS, PROMPTS)
def test_names_are_equal_exactly_where_owner_and_beginning_are(owner, prompt, other_owner, other_prompt):
    """SPEC 4.124"""
    mine, theirs = pieces_of(owner, prompt), pieces_of(other_owner, other_prompt)
    same = shared(prompt, other_prompt) if owner == other_owner else 0
    common = [cut for cut in mine.cuts if cut <= same]
    assert shared(mine.names, theirs.names) == len(common)
    assert set(mine.names) & set(theirs.names) == set(mine.names[: len(common)])


STARTS = st.integers(0, 30)


@given(OWNERS, STARTS, OWNERS, STARTS, PROMPTS)
def test_pieces_before_the_adapter_begins_are_the_bases(owner, start, other_owner, other_start, prompt):
    """SPEC 4.211: names are equal exactly up to where either adapter begins; all are, if all is equal."""
    cuts = cuts_within(len(prompt), FIRST, LONGEST)
    mine, theirs = (
        name_pieces(*one, prompt, cuts, begin) for one, begin in ((owner, start), (other_owner, other_start))
    )
    begins = [begin for (cid, _), begin in ((owner, start), (other_owner, other_start)) if cid is not None]
    same = (owner, start) == (other_owner, other_start) or (owner == other_owner and not begins)
    reach = len(prompt) if same else min(begins, default=len(prompt))
    common = [cut for cut in cuts if cut <= reach] if owner[1] == other_owner[1] else []
    assert shared(mine.names, theirs.names) == len(common)
    assert set(mine.names) & set(theirs.names) == set(mine.names[: len(common)])


def store(cache, owner, prompt):
    """Keep all whole pieces of a prompt, each as the tokens it stands for."""
    pieces = pieces_of(owner, prompt)
    for start, stop in zip((0, *pieces.cuts), pieces.cuts, strict=False):
        if cache.wants(pieces, stop):
            cache.keep(pieces, start, stop, tuple(prompt[start:stop]))


@settings(max_examples=60)
@given(st.lists(st.tuples(OWNERS, PROMPTS), max_size=8), OWNERS, PROMPTS)
def test_what_is_found_is_the_longest_kept_beginning(kept, owner, prompt):
    """SPEC 4.122, 4.124: with room for everything, compared with looking at every kept prompt."""
    cache = PrefixCache(1000, Metrics())
    for one in kept:
        store(cache, *one)
    found = cache.longest(pieces_of(owner, prompt), len(prompt))
    cuts = cuts_within(len(prompt), FIRST, LONGEST)
    reach = max((shared(prompt, p) for o, p in kept if o == owner), default=0)
    best = max((cut for cut in cuts if cut <= reach and cut < len(prompt)), default=0)
    assert [token for piece in found for token in piece] == prompt[:best]


@settings(max_examples=60)
@given(st.lists(st.tuples(OWNERS, PROMPTS), max_size=12), st.integers(1, 5))
def test_too_little_room_gives_shorter_beginnings_and_never_wrong_ones(kept, pages):
    """SPEC 4.123"""
    metrics = Metrics()
    cache = PrefixCache(pages, metrics)
    for owner, prompt in kept:
        found = cache.longest(pieces_of(owner, prompt), len(prompt))
        tokens = [token for piece in found for token in piece]
        assert tokens == prompt[: len(tokens)]
        store(cache, owner, prompt)
        assert cache.pool.kept <= pages and len(cache._pieces) == cache.pool.kept
    looked = sum(metrics.value("prefix_lookups_total", outcome=o) for o in ("hit", "miss"))
    assert looked == len(kept)


def test_a_sequence_takes_the_room_of_what_was_used_longest_ago():
    """SPEC 4.123"""
    metrics = Metrics()
    cache = PrefixCache(2, metrics)
    old, new = [1] * 5, [2] * 5
    for prompt in (old, new):
        store(cache, (None, "t"), prompt)
    assert cache.longest(pieces_of((None, "t"), old), 5)
    assert cache.pool.hold(0, 1) and metrics.value("prefix_evictions_total") == 1
    assert cache.longest(pieces_of((None, "t"), old), 5)
    assert not cache.longest(pieces_of((None, "t"), new), 5)
