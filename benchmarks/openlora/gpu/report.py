"""The table that a run prints. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.openlora.gpu.plan import Result

_COLUMNS = (
    ("tokens_per_second", "tokens/s", "{:,.0f}", 1.0),
    ("gap_p50_ms", "p50 ms", "{:.2f}", 1.0),
    ("gap_p99_ms", "p99 ms", "{:.2f}", 1.0),
    ("device_ms", "device ms", "{:.2f}", 1.0),
    ("distinct", "distinct", "{:.0f}", 1.0),
    ("of_base", "% of base", "{:.1f}", 100.0),
    ("of_allowed", "% of what bytes allow", "{:.1f}", 100.0),
    ("of_roofline", "% of copy speed", "{:.1f}", 100.0),
)


def table(results: Sequence[Result], facts: Mapping[str, object]) -> str:
    """Aligned columns, a line a case; figures that no column has follow by their names."""
    head = ["base", "rank", "engine", "case", *(title for _, title, _, _ in _COLUMNS)]
    lines = [head, *(_line(result) for result in results if "tokens_per_second" in result.figures)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    drawn = [
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines
    ]
    rest = [f"{_name(r)}: {_others(r)}" for r in results if _others(r)]
    described = ", ".join(f"{key} {value}" for key, value in facts.items())
    return "\n".join([described, "", *drawn, "", *rest]).rstrip() + "\n"


def _line(result: Result) -> list[str]:
    cells = [
        form.format(result.figures[key] * factor) if key in result.figures else "-"
        for key, _, form, factor in _COLUMNS
    ]
    return [result.base, str(result.rank), result.engine, result.case, *cells]


def _others(result: Result) -> str:
    shown = {"bytes", *(key for key, *_ in _COLUMNS)}
    figures = [f"{key} {value:.2f}" for key, value in result.figures.items() if key not in shown]
    return ", ".join([*figures, *([result.remark] if result.remark else [])])


def _name(result: Result) -> str:
    return f"{result.base}, rank {result.rank}, {result.engine}, {result.case}"
