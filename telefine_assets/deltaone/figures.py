"""Figures of a report, as PNG bytes that depend on what they show alone."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any

from telefine_assets.deltaone import wording
from telefine_assets.deltaone.power import rule_power
from telefine_assets.deltaone.records import PPM
from telefine_assets.pages.drawing import DARK, LIGHT, Palette, png, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from telefine_assets.deltaone.breakdown import Calibration
    from telefine_assets.pages.page import Forest, Mark

_POINTS = 10_000  # ppm in one percentage point
_NAME = 34


def forest_plot(forest: Forest, headline: str, below: str) -> bytes:
    """Draw gains with their intervals, a row each, beside the lines of no change and of the threshold.

    1,500 pixels wide. Only for a comparison that reached DeltaOne: it shows scores.
    """
    marks = forest.marks

    def draw(axes: Axes, ink: Palette) -> None:
        threshold = forest.threshold_ppm / _POINTS
        left, right = (end / _POINTS for end in forest.ends)
        axes.set_xlim(left, right)
        axes.set_ylim(len(marks) - 0.4, -1.1)
        axes.axvline(0, color=ink.muted, linewidth=1.5, zorder=1)
        axes.axvline(threshold, color=ink.rule, linewidth=1.5, linestyle=(0, (5, 3)), zorder=1)
        for x, text, align, colour in (
            (0.0, "no change", "right", ink.muted),
            (threshold, f"threshold: +{threshold:g} pp", "left", ink.rule),
        ):
            offset = (6 if align == "left" else -6, 0)
            axes.annotate(text, (x, -0.75), offset, textcoords="offset points", ha=align, va="center", color=colour)
        for at, mark in enumerate(marks):
            _draw_mark(axes, at, mark, ink)
        axes.set_yticks(range(len(marks)), [_cut(mark.name) for mark in marks])
        axes.tick_params(axis="y", length=0)
        axes.get_yticklabels()[0].set_fontweight("bold")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("Gain over the baseline, percentage points (right is better)")
        title(axes, headline, below, ink)

    return png(draw, (10, 2.4 + 0.36 * len(marks)))


def _draw_mark(axes: Axes, at: int, mark: Mark, ink: Palette) -> None:
    """One row: a diamond over all, a dot for a slice, a ring for a guardrail; its words stand at the right."""
    overall = mark.kind == "overall"
    if mark.lower_ppm is not None and mark.upper_ppm is not None:
        ends = [mark.lower_ppm / _POINTS, mark.upper_ppm / _POINTS]
        axes.plot(ends, [at, at], color=ink.gain, linewidth=4 if overall else 1.8, solid_capstyle="butt", zorder=3)
    if mark.gain_ppm is not None:
        axes.plot(
            [mark.gain_ppm / _POINTS],
            [at],
            marker="D" if overall else "o",
            markersize=11 if overall else 7,
            color=ink.paper if mark.kind == "guardrail" else ink.gain,
            markeredgecolor=ink.gain if mark.kind == "guardrail" else ink.paper,
            zorder=4,
        )
    text = mark.text if mark.held is None else f"{'held' if mark.held else 'broken'}: {mark.text}"
    axes.annotate(
        _cut(text),
        (1, at),
        (8, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        fontweight="bold" if overall else "normal",
        color=ink.rule if mark.held is False else ink.ink,
        annotation_clip=False,
    )


def _cut(text: str) -> str:
    """A label that fits."""
    return text if len(text) <= _NAME else text[: _NAME - 1] + "…"


def power_curve(view: Mapping[str, Any]) -> bytes:
    """Draw the chance of reaching DeltaOne against the true gain, from the public view of a decision alone."""
    target, detectable, threshold = view["power_ppm"] / PPM, view["detectable_ppm"], view["threshold_ppm"] / _POINTS
    widest = min(PPM, max(5 * view["threshold_ppm"], ceil(1.6 * (detectable or PPM))))
    gains = [widest * step // 80 for step in range(81)]
    alpha, planned = Fraction(view["alpha_k"]), view["planned_discordance_ppm"]
    powers = [100 * rule_power(view["effective_n"], planned, gain, alpha, view["threshold_ppm"]) for gain in gains]
    points = [gain / _POINTS for gain in gains]

    def draw(axes: Axes, ink: Palette) -> None:
        axes.set_xlim(0, points[-1])
        axes.set_ylim(0, 104)
        axes.fill_between(points, powers, color=ink.power, alpha=0.10, linewidth=0)
        axes.plot(points, powers, color=ink.power, linewidth=2.5)
        axes.axhline(100 * target, color=ink.muted, linewidth=1, linestyle=(0, (2, 3)))
        axes.axvline(threshold, color=ink.rule, linewidth=1.5, linestyle=(0, (5, 3)))
        words = f"threshold\n+{threshold:g} pp"
        axes.annotate(words, (threshold, 98), (6, 0), textcoords="offset points", va="top", color=ink.rule)
        if detectable is not None:
            _mark_detectable(axes, detectable, view["power_ppm"], ink, to_left=detectable > 0.7 * widest)
        else:
            axes.text(0.5, 0.45, "Too few items to find any gain", transform=axes.transAxes, ha="center", fontsize=14)
        axes.set_xlabel("True gain of a candidate, percentage points")
        axes.set_ylabel("Chance of reaching DeltaOne, %")
        grouped = f" in {wording.count(view['groups'], 'group')}" if view["groups"] < view["n"] else ""
        title(
            axes,
            f"Not reached. What {wording.count(view['n'], 'item')}{grouped} can show at look {view['k']}",
            f"Needed p below {float(alpha):.2g}  ·  planned for programs that differ on {wording.chance(planned)} of "
            "the items  ·  no scores are shown",
            ink,
        )

    return png(draw, (10, 4.6))


def _mark_detectable(axes: Axes, detectable_ppm: int, power_ppm: int, ink: Palette, to_left: bool) -> None:
    gain, power = detectable_ppm / _POINTS, power_ppm / _POINTS
    axes.plot([gain, gain], [0, power], color=ink.power, linewidth=1.2, linestyle=(0, (2, 2)))
    axes.plot([gain], [power], marker="o", markersize=9, color=ink.power, markeredgecolor=ink.paper, zorder=4)
    axes.annotate(
        f"{wording.points(detectable_ppm)} pp or more:\nfound {power:g} times in 100",
        (gain, power),
        xytext=(-12, 8) if to_left else (12, -12),
        textcoords="offset points",
        ha="right" if to_left else "left",
        va="bottom" if to_left else "top",
        bbox={"facecolor": ink.paper, "edgecolor": "none", "pad": 2, "alpha": 0.85},
    )


def reliability_diagram(sides: Mapping[str, Calibration], dark: bool = False) -> bytes:
    """Draw what each side said of its answers against what was so; a larger point stands for more answers.

    750 pixels wide. The diagonal is perfect calibration (Guo et al. 2017, figure 1).
    """

    def draw(axes: Axes, ink: Palette) -> None:
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 100)
        axes.set_aspect("equal")
        axes.plot([0, 100], [0, 100], color=ink.muted, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
        for (side, found), colour, shape in zip(sides.items(), (ink.muted, ink.gain), "os", strict=False):
            said, was = ([getattr(each, name) / _POINTS for each in found.bins] for name in ("said_ppm", "was_ppm"))
            sizes = [30 + 250 * each.n / found.n for each in found.bins]
            axes.plot(said, was, color=colour, linewidth=1.5, zorder=2)
            axes.scatter(said, was, s=sizes, color=colour, marker=shape, label=side, edgecolor=ink.paper, zorder=3)
        legend = axes.legend(loc="upper left", frameon=False, labelcolor=ink.ink)
        for handle in legend.legend_handles:
            handle.set_sizes([60])  # type: ignore[union-attr]
        axes.set_xlabel("The program said, %")
        axes.set_ylabel("It was right, %")

    return png(draw, (5, 4.8), DARK if dark else LIGHT)
