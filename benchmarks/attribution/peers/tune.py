"""Settings of the packages on `sent`, the one set that settings may be chosen on.

`python -m benchmarks.attribution.peers.tune` runs what is missing of each grid, beside the rows of the table,
and writes `benchmarks/results/attribution_peers_tuning.txt`. The catalogue's
settings are chosen from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.attribution.folders import Folders, open_set
from benchmarks.attribution.metrics import interval, lds, leave_one_out
from benchmarks.attribution.peers.catalogue import PEERS, Peer
from benchmarks.attribution.peers.launch import ENVIRONMENT, failures, run_peer
from benchmarks.attribution.plan import PROFILES
from benchmarks.attribution.task import Cost, Scores, read_scores
from benchmarks.attribution.tune import TUNING_SET
from benchmarks.record import RESULTS


def main() -> None:
    """Measure and print."""
    opened = open_set(Folders(TUNING_SET), PROFILES["reduced"][TUNING_SET])
    truth, bootstrap = opened.seen.truth, opened.seeds.bootstrap
    into = opened.task.folder / "peers-tuning"
    for peer in PEERS:
        run_peer(
            peer,
            peer.tried[len(peer.settings) :],
            opened.task.folder,
            into,
            print,
            ENVIRONMENT / "bin/python",
        )
    found = read_scores(opened.task.folder) | read_scores(into)
    lines = ["| package | setting | bytes a row | LDS | 95 % | leave one out |", "|---|---|---|---|---|---|"]
    for peer in PEERS:
        for name, scores, cost in _of(peer, found):
            mean, left = interval(lds(scores, truth), bootstrap), leave_one_out(scores, truth).mean()
            lines.append(
                f"| {peer.method}, {peer.package} | {name} | {cost.bytes_per_row:.0f} | {mean.mean:.3f} "
                f"| {mean.low:.3f} to {mean.high:.3f} | {left:.3f} |"
            )
    lines += [f"{name}: {reason}" for name, reason in (failures(opened.task.folder) | failures(into)).items()]
    print("\n".join(lines))
    RESULTS.joinpath("attribution_peers_tuning.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _of(peer: Peer, found: Mapping[str, tuple[Scores, Cost]]) -> Iterator[tuple[str, Scores, Cost]]:
    for setting in peer.tried:
        if setting.name in found:
            yield setting.name, *found[setting.name]


if __name__ == "__main__":
    main()
