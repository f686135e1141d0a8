"""Figures of a decision, as PNG bytes that depend on the decision alone.

No date, version or path enters the file, so the same decision gives the same
bytes with the same matplotlib, and the picture can be stored by its digest.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR
from fractions import Fraction
from io import BytesIO
from math import ceil
from typing import TYPE_CHECKING, Any

from telefine_assets.deltaone import wording
from telefine_assets.deltaone.power import rule_power
from telefine_assets.deltaone.records import PPM, Decision

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK = "#22303c"
_MUTED = "#6b7a88"
_GAIN = "#1b7f5c"
_RULE = "#c2571a"
_POWER = "#2b6cb0"
_POINTS = 10_000  # ppm in one percentage point


def forest_plot(decision: Decision) -> bytes:
    """Draw the decision as a PNG of 1,500 by 640 pixels or so.

    When DeltaOne is reached: the gain with its interval, beside the lines of no
    change and of the threshold. Otherwise no score of the live holdout may show,
    and the picture says what a holdout of this size could have found.
    """
    import matplotlib

    with matplotlib.rc_context():
        # A user's matplotlibrc must not change the bytes.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {"font.family": "DejaVu Sans", "font.size": 11, "text.color": _INK, "axes.labelcolor": _INK}
        )
        figure, axes = _canvas(height=3.6 if decision.reached else 4.6)
        if decision.reached:
            _draw_gain(axes, decision)
        else:
            _draw_power(axes, decision)
        out = BytesIO()
        figure.savefig(out, format="png", dpi=150, metadata={"Software": None})
    return out.getvalue()


def _canvas(height: float) -> tuple[Any, Axes]:
    """A figure of its own, without pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, height), facecolor="white", layout="constrained")
    figure.get_layout_engine().set(w_pad=0.15, h_pad=0.12)  # type: ignore[union-attr, call-arg]
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_MUTED)
    axes.tick_params(colors=_MUTED, labelcolor=_INK)
    return figure, axes


def _title(axes: Axes, headline: str, below: str) -> None:
    axes.set_title(headline, loc="left", fontsize=14, fontweight="bold", pad=34)
    axes.annotate(below, (0, 1), xytext=(0, 14), xycoords="axes fraction", textcoords="offset points", color=_MUTED)


def _draw_gain(axes: Axes, decision: Decision) -> None:
    """Estimate and interval in percentage points."""
    gain = decision.delta_sum_ppm / decision.n / _POINTS
    low, high = (decision.lower_ppm or 0) / _POINTS, (decision.upper_ppm or 0) / _POINTS
    threshold = decision.threshold_ppm / _POINTS
    left, right = min(0.0, low), max(threshold, high)
    margin = 0.12 * (right - left)
    axes.set_xlim(left - margin, right + margin)
    axes.set_ylim(-1, 1.5)
    _draw_rules(axes, threshold)
    axes.plot([low, high], [0, 0], color=_GAIN, linewidth=3, solid_capstyle="butt", zorder=3)
    for end in (low, high):
        axes.plot([end, end], [-0.12, 0.12], color=_GAIN, linewidth=3, zorder=3)
    axes.plot([gain], [0], marker="D", markersize=12, color=_GAIN, markeredgecolor="white", zorder=4)
    _label(axes, gain, f"{wording.points(decision.delta_ppm or 0, sign=True)} pp", "center", headline=True)
    # The ends of a narrow interval are labelled outward, clear of each other.
    narrow = high - low < 0.2 * (right - left)
    lower = wording.points(decision.lower_ppm or 0, ROUND_FLOOR, sign=True)
    upper = wording.points(decision.upper_ppm or 0, ROUND_CEILING, sign=True)
    _label(axes, low, lower, "right" if narrow else "center")
    _label(axes, high, upper, "left" if narrow else "center")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Gain over the baseline, percentage points (right is better)")
    confidence = wording.percent(Fraction(decision.confidence), 6)
    _title(
        axes,
        f"DeltaOne reached: {decision.grade}" if decision.grade else "DeltaOne reached",
        f"{wording.count(decision.n, 'paired item')}  ·  {confidence} interval  ·  "
        f"p = {float(decision.p_value):.2g}, needed below {float(Fraction(decision.alpha_k)):.2g}  ·  "
        f"look {decision.k}",
    )


def _label(axes: Axes, x: float, text: str, align: str, headline: bool = False) -> None:
    """A number beside the interval: the estimate above it, the ends below."""
    outward = {"left": 5, "center": 0, "right": -5}[align]
    axes.annotate(
        text,
        (x, 0.26 if headline else -0.22),
        xytext=(outward, 0),
        textcoords="offset points",
        ha=align,
        va="bottom" if headline else "top",
        fontsize=15 if headline else 11,
        fontweight="bold" if headline else "normal",
        color=_GAIN,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        zorder=5,
    )


def _draw_rules(axes: Axes, threshold: float) -> None:
    """The lines of no change and of the threshold, labelled away from each other."""
    axes.axvline(0, color=_MUTED, linewidth=1.5, zorder=1)
    axes.axvline(threshold, color=_RULE, linewidth=1.5, linestyle=(0, (5, 3)), zorder=1)
    axes.annotate(
        "no change", (0, 1.42), xytext=(-6, 0), textcoords="offset points", ha="right", va="top", color=_MUTED
    )
    axes.annotate(
        f"threshold: +{threshold:g} pp",
        (threshold, 1.42),
        xytext=(6, 0),
        textcoords="offset points",
        va="top",
        color=_RULE,
    )


def _draw_power(axes: Axes, decision: Decision) -> None:
    """Chance of reaching DeltaOne against the true gain; made of n, k and the plan only."""
    target = decision.power_ppm / PPM
    detectable = decision.detectable_ppm
    widest = min(PPM, max(5 * decision.threshold_ppm, ceil(1.6 * (detectable or PPM))))
    gains = [widest * step // 80 for step in range(81)]
    alpha = Fraction(decision.alpha_k)
    powers = [
        100 * rule_power(decision.effective_n, decision.planned_discordance_ppm, gain, alpha, decision.threshold_ppm)
        for gain in gains
    ]
    points = [gain / _POINTS for gain in gains]
    axes.set_xlim(0, points[-1])
    axes.set_ylim(0, 104)
    axes.fill_between(points, powers, color=_POWER, alpha=0.10, linewidth=0)
    axes.plot(points, powers, color=_POWER, linewidth=2.5)
    axes.axhline(100 * target, color=_MUTED, linewidth=1, linestyle=(0, (2, 3)))
    threshold = decision.threshold_ppm / _POINTS
    axes.axvline(threshold, color=_RULE, linewidth=1.5, linestyle=(0, (5, 3)))
    axes.annotate(
        f"threshold\n+{threshold:g} pp",
        (threshold, 98),
        xytext=(6, 0),
        textcoords="offset points",
        va="top",
        color=_RULE,
    )
    if detectable is not None:
        _mark_detectable(axes, detectable, decision.power_ppm, to_left=detectable > 0.7 * widest)
    else:
        axes.text(0.5, 0.45, "Too few items to find any gain", transform=axes.transAxes, ha="center", fontsize=14)
    axes.set_xlabel("True gain of a candidate, percentage points")
    axes.set_ylabel("Chance of reaching DeltaOne, %")
    planned = wording.chance(decision.planned_discordance_ppm)
    grouped = f" in {wording.count(decision.groups, 'group')}" if decision.groups < decision.n else ""
    _title(
        axes,
        f"Not reached. What {wording.count(decision.n, 'item')}{grouped} can show at look {decision.k}",
        f"Needed p below {float(alpha):.2g}  ·  planned for programs that differ on {planned} of the items"
        "  ·  no scores are shown",
    )


def _mark_detectable(axes: Axes, detectable_ppm: int, power_ppm: int, to_left: bool) -> None:
    gain, power = detectable_ppm / _POINTS, power_ppm / _POINTS
    axes.plot([gain, gain], [0, power], color=_POWER, linewidth=1.2, linestyle=(0, (2, 2)))
    axes.plot([gain], [power], marker="o", markersize=9, color=_POWER, markeredgecolor="white", zorder=4)
    axes.annotate(
        f"{wording.points(detectable_ppm)} pp or more:\nfound {power:g} times in 100",
        (gain, power),
        xytext=(-12, 8) if to_left else (12, -12),
        textcoords="offset points",
        ha="right" if to_left else "left",
        va="bottom" if to_left else "top",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2, "alpha": 0.85},
    )
