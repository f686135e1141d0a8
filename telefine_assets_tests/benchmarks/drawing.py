"""The table and the figure of all benchmarks."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from telefine_assets_tests.benchmarks.results import Result, shown
from telefine_assets_tests.benchmarks.surroundings import Machine

OURS, PEER, OVER = "#2b6cb0", "#a0aec0", "#c53030"


def table(found: Mapping[str, Sequence[Result]], machine: Machine) -> str:
    """The page: what was measured where, and a row for each result, by benchmark."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; numbers of another machine differ, ratios to a peer that ran beside less so.",
        "",
        f"Commit {machine.source} of {machine.date}; {machine.processor}, {machine.memory_gb} GiB; {machine.python}; "
        + ", ".join(f"{name} {number}" for name, number in machine.packages.items())
        + ".",
        "",
        "![What share of its limit each takes, how many times better than its peer, and what a trace costs]"
        "(benchmarks.png)",
        "",
        "| what | Telefine | limit | peer | times better |",
        "|---|---:|---:|---|---:|",
    ]
    lines += [_row(result) for results in found.values() for result in results]
    lines += ["", "Each line comes from a file of `telefine_assets_tests/benchmarks`, which says how it is measured:"]
    lines += [", ".join(f"`{name}`" for name, results in found.items() if results) + "."]
    return "\n".join(lines) + "\n"


def _row(result: Result) -> str:
    limit = "" if result.limit is None else f"{'≥' if result.more_is_better else '≤'} {shown(result.limit)}"
    over = "" if result.within else " **beyond**"
    peer = "" if result.peer_value is None else f"{result.peer}: {shown(result.peer_value)} {result.unit}"
    better = "" if result.times_better is None else shown(result.times_better)
    return f"| {result.what} | {shown(result.value)} {result.unit} | {limit}{over} | {peer} | {better} |"


def figure(found: Mapping[str, Sequence[Result]], into: Path) -> None:
    """Three pictures in one: shares of the limits, ratios to the peers, and the cost of a trace by the day's size."""
    from matplotlib.figure import Figure

    rows = [result for results in found.values() for result in results]
    limited = [row for row in rows if row.of_limit is not None and not row.series]
    paired = [row for row in rows if row.times_better is not None]
    drawn = Figure(figsize=(11, 2.2 + 0.24 * max(len(limited), len(paired)) + 3.2), layout="constrained")
    above, below = drawn.subfigures(2, 1, height_ratios=(0.24 * max(len(limited), len(paired)) + 1.2, 3.6))
    left, right = above.subplots(1, 2)
    _bars(left, [(row.what, row.of_limit or 0) for row in limited], "share of the limit used", beyond=True)
    _bars(right, [(row.what, row.times_better or 0) for row in paired], "times better than the peer", beyond=False)
    grown = [row for row in rows if row.series]
    units = list(dict.fromkeys(row.unit for row in grown))
    for axes, unit in zip(below.subplots(1, len(units), squeeze=False)[0] if units else (), units, strict=True):
        _growth(axes, [row for row in grown if row.unit == unit], unit)
    drawn.savefig(into, dpi=110, metadata={"Software": None})


def _bars(axes, rows: Sequence[tuple[str, float]], title: str, beyond: bool) -> None:
    colours = [OVER if (value > 1) == beyond and value != 1 else OURS for _, value in rows]
    axes.barh(range(len(rows)), [value for _, value in rows], color=colours)
    axes.set_yticks(range(len(rows)), [what if len(what) < 50 else what[:48] + "…" for what, _ in rows], fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_title(title, fontsize=9)
    axes.tick_params(axis="x", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def _growth(axes, rows: Sequence[Result], unit: str) -> None:
    for series in dict.fromkeys(row.series for row in rows):
        points = [(row.size, row.value) for row in rows if row.series == series]
        axes.plot([size for size, _ in points], [value for _, value in points], marker="o", label=series)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("traces of a day", fontsize=8)
    axes.set_title(f"what a trace costs as days grow, in {unit}", fontsize=9)
    axes.tick_params(labelsize=7)
    axes.grid(True, which="major", linewidth=0.3)
    axes.legend(fontsize=8, frameon=False)
