"""The rows of packages in the table."""

import pytest

from benchmarks.attribution.peers.catalogue import PEERS, settings_of


def test_no_two_rows_share_a_score_file() -> None:
    names = [s.name for peer in PEERS for s in (*peer.settings, *peer.grid_settings())]
    assert len(names) == len(set(names))


def test_each_package_is_the_pinned_one() -> None:
    from benchmarks.record import ROOT

    pins = (ROOT / "requirements/bench/attribution.txt").read_text(encoding="utf-8").splitlines()
    assert {peer.package.replace(" ", "==") for peer in PEERS} <= set(pins)


def test_the_tuned_setting_is_one_that_the_grid_holds() -> None:
    for peer in PEERS:
        tried = [setting.options for setting in (*peer.grid_settings(), peer.settings[0])]
        assert peer.settings[1].options in [*tried, {"damping": None}]


def test_settings_come_in_the_catalogues_order_and_an_unknown_one_is_refused() -> None:
    peer = PEERS[0]
    names = [setting.name for setting in peer.settings]
    assert settings_of(peer.module, names[::-1]) == list(peer.settings)
    with pytest.raises(KeyError, match=f"nothing: {peer.module} knows {names[0]}"):
        settings_of(peer.module, ["nothing"])
