"""The result file's tables as text: pure, from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Methods that a goal names, by the beginning of their score files.
GOALS = ("ekfac", "less")


def table(name: str, found: Mapping[str, Any]) -> str:
    """One set: a row for each method, then ours against the best of the others and the goals' methods."""
    lines = [
        _head(name, found),
        "",
        "| method | LDS | 95 % | leave one out | AUC | recall | tail patch | bytes | build s | query s |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_line(row) for row in found["rows"].values()),
        *(f"| {title} | not run: {reason} | | | | | | | | |" for title, reason in found["failures"].items()),
        "",
        "| ours less | LDS | over queries | over queries and subsets | leave one out |",
        "|---|---|---|---|---|",
        *(_pair(pair, found["rows"]) for pair in found["pairs"]),
    ]
    return "\n".join(lines) + "\n"


def verdicts(name: str, found: Mapping[str, Any]) -> list[str]:
    """Whether ours passes each method that a goal names, by the interval over queries."""
    lines = []
    for goal in GOALS:
        for pair in found["pairs"]:
            if pair["other"].startswith(goal):
                low, mean = pair["lds"]["low"], pair["lds"]["mean"]
                word = "beats" if low > 0 else "ties with" if pair["lds"]["high"] >= 0 else "falls short of"
                title = found["rows"][pair["other"]]["title"]
                lines.append(f"{name}: ours {word} {title}, by {mean:+.3f}, lower end {low:+.3f}")
    return lines


def _head(name: str, found: Mapping[str, Any]) -> str:
    orders = f"{found['orders']} order{'s' if found['orders'] > 1 else ''} of training"
    trust = found["reliability"]
    noise = f"; two orders agree {trust:.3f}" if trust is not None else ""
    return (
        f"{name}: {found['subsets']} halves, {orders} each{noise}; {found['adapters']} throw-away adapters "
        f"of {found['retrain_cpu_seconds']:.1f} s CPU"
    )


def _line(row: Mapping[str, Any]) -> str:
    low, high = row["lds"]["low"], row["lds"]["high"]
    tail, cost = row["tail"], row["cost"]
    error = (tail["high"] - tail["low"]) / 2
    return (
        f"| {row['title']} | {row['lds']['mean']:.3f} | {low:.3f} to {high:.3f} "
        f"| {row['leave_one_out']['mean']:.3f} | {row['auc']:.3f} | {row['recall']:.3f} "
        f"| {tail['mean']:.3f} ± {error:.3f} | {cost['bytes_per_row']:,.0f} "
        f"| {cost['build_seconds']:.1f} | {cost['query_seconds']:.1f} |"
    )


def _pair(pair: Mapping[str, Any], rows: Mapping[str, Any]) -> str:
    parts = [f"{pair[k]['low']:+.3f} to {pair[k]['high']:+.3f}" for k in ("lds", "lds_wide")]
    left = pair["leave_one_out"]
    return (
        f"| {rows[pair['other']]['title']} | {pair['lds']['mean']:+.3f} | {parts[0]} | {parts[1]} "
        f"| {left['mean']:+.3f} ({left['low']:+.3f} to {left['high']:+.3f}) |"
    )


def summary(sets: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    """All verdicts."""
    return [line for name, found in sets.items() for line in verdicts(name, found)]
