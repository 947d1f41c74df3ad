"""What is told: serving.json with one key a figure, and the same as Markdown."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from tests.bench.cells import Cell, Measured, Seen
from tests.bench.figures import Figure
from tests.bench.targets import Role

Key = tuple[str, str]


def document(figures: Sequence[Figure], seen: Seen, about: Mapping[str, object], rounds: int) -> dict[str, object]:
    """serving.json: each figure under its key, then everything that it came from."""
    return {
        **{figure.key: figure.document() for figure in figures},
        "about": {
            **about,
            "rounds": rounds,
            "load": "wrk, a closed loop on one core; one process of the server on another; loopback",
            "ours": "metrics on, capture of every request to a folder, verified bundle of the same estimator",
        },
        "problems": seen.problems,
        "missing": seen.missing,
        "cells": [asdict(each) for each in seen.cells],
        "starts": [asdict(each) for each in seen.starts],
    }


def markdown(figures: Sequence[Figure], seen: Seen, about: Mapping[str, object]) -> str:
    """The figures, then each cell with its servers, the quickest first."""
    lines = ["| figure | seen | spread | must | goal | |", "|---|---|---|---|---|---|"]
    lines += [_row(figure) for figure in figures]
    lines += [
        "",
        f"{about['date']}, {about['processor']}, one core for the server, one for the load (wrk, a closed loop), "
        "medians of rounds; metrics on, capture of every request.",
    ]
    for cell in dict.fromkeys(each.cell for each in seen.cells):
        lines += ["", *_cell(cell, [each for each in seen.cells if each.cell == cell])]
    lines += ["", *_starts(seen)]
    for title, told in (("Wrong", seen.problems), ("Missing", seen.missing)):
        lines += ["", f"{title}:", *(f"- {line}" for line in told)] if told else []
    return "\n".join(lines) + "\n"


def failures(figures: Sequence[Figure], seen: Seen) -> list[str]:
    """A line for each wrong answer, each request that ours lost, each figure that is not what it must be."""
    lost = [
        f"{each.target}, {each.way}, {each.cell}: {each.errors} requests had no good answer"
        for each in seen.cells
        if each.role is Role.OURS and each.errors
    ]
    unmet = [
        f"{figure.key}: got {_number(figure.value, figure.limit.unit)}, must be {_bound(figure, figure.limit.must)}"
        for figure in figures
        if figure.values and figure.met is False
    ]
    return [*seen.problems, *lost, *unmet]


def by_server(measured: Sequence[Measured]) -> dict[Key, list[Measured]]:
    """The rounds of each server and way."""
    found: dict[Key, list[Measured]] = {}
    for each in measured:
        found.setdefault((each.target, each.way), []).append(each)
    return found


def _row(figure: Figure) -> str:
    if not figure.values:
        seen, spread = f"missing: {figure.missing}", ""
    else:
        unit = figure.limit.unit
        seen = f"**{_number(figure.value, unit)}**" + (f" ({figure.against})" if figure.against else "")
        spread = f"{_number(min(figure.values), unit)} to {_number(max(figure.values), unit)}"
    verdict = {None: "", True: "goal met" if figure.goal_met else "met", False: "not met"}[figure.met]
    if not figure.values:
        verdict = ""
    elif figure.disturbed:
        verdict = f"{verdict} (disturbed)".strip()
    bounds = f"{_bound(figure, figure.limit.must)} | {_bound(figure, figure.limit.goal)}"
    told = "; ".join(filter(None, [verdict, *figure.notes]))
    return f"| {figure.story} (`{figure.key}`) | {seen} | {spread} | {bounds} | {told} |"


def _cell(cell: Cell, measured: Sequence[Measured]) -> list[str]:
    rows = "1 row" if cell.n_rows == 1 else f"{cell.n_rows:,} rows"
    lines = [
        f"### {cell.model}, {rows} a request, {cell.connections} connections",
        "",
        "| server | requests/s | p50 ms | p95 ms | p99 ms | errors | server, load, other CPU |",
        "|---|---|---|---|---|---|---|",
    ]
    groups = by_server(measured)
    for name in sorted(groups, key=lambda name: -_median(groups[name], "rate")):
        mine = groups[name]
        cpu = ", ".join(f"{_median(mine, field):.2f}" for field in ("server_cpu", "load_cpu", "other_cpu"))
        times = " | ".join(f"{_median(mine, field):.2f}" for field in ("p50", "p95", "p99"))
        rate, errors = _median(mine, "rate"), sum(each.errors for each in mine)
        lines.append(f"| {', '.join(name)} | {rate:,.{0 if rate >= 100 else 1}f} | {times} | {errors} | {cpu} |")
    return lines


def _starts(seen: Seen) -> list[str]:
    lines = ["### Start and memory, forest", "", "| server | first right answer, s | memory, MB |", "|---|---|---|"]
    for name in dict.fromkeys(each.target for each in seen.starts):
        mine = [each for each in seen.starts if each.target == name and each.model == "forest"]
        if mine:
            seconds, memory = (
                statistics.median(getattr(each, what) for each in mine) for what in ("seconds", "memory_mb")
            )
            lines.append(f"| {name} | {seconds:.2f} | {memory:.0f} |")
    return lines


def _median(measured: Sequence[Measured], field: str) -> float:
    return statistics.median(float(getattr(each, field)) for each in measured)


def _bound(figure: Figure, bound: float | None) -> str:
    if bound is None:
        return ""
    return f"{'>=' if figure.limit.at_least else '<='} {_number(bound, figure.limit.unit)}"


def _number(value: float, unit: str) -> str:
    if math.isnan(value):
        return "-"
    digits = f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits} {unit}"
