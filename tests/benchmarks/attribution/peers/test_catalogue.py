"""The rows of packages in the table."""

import pytest

from benchmarks.attribution.peers.catalogue import PEERS, Setting, settings_of


def test_no_two_rows_share_a_score_file() -> None:
    names = [setting.name for peer in PEERS for setting in peer.tried]
    assert len(names) == len(set(names))


def test_each_package_is_the_pinned_one() -> None:
    from benchmarks.record import ROOT

    pins = (ROOT / "requirements/bench/attribution.txt").read_text(encoding="utf-8").splitlines()
    assert {peer.package.replace(" ", "==") for peer in PEERS} <= set(pins)


def test_a_name_holds_every_option() -> None:
    setting = Setting("stem", {"k": 512, "ridge": 1e-5, "damping": None}, "")
    assert setting.name == "stem-k=512-ridge=1e-05-damping=None"


def test_rows_with_options_of_their_own_are_among_what_was_tried_once() -> None:
    for peer in PEERS:
        assert peer.tried[: len(peer.settings)] == peer.settings
        assert all(set(setting.options) == set(peer.grid) for setting in peer.tried)


def test_settings_come_in_the_catalogues_order_and_an_unknown_one_is_refused() -> None:
    peer = PEERS[0]
    names = [setting.name for setting in peer.settings]
    assert settings_of(peer.module, names[::-1]) == peer.settings
    with pytest.raises(KeyError, match=f"nothing: {peer.module} knows {names[0]}"):
        settings_of(peer.module, ["nothing"])
