"""The report's pictures: what came in, how it was scored and what was spent, day by day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from telefine_assets.improvement.comparing import mean
from telefine_assets.improvement.gathering import Day, Gathered
from telefine_assets.improvement.totals import cost
from telefine_assets.pages.drawing import DARK, LIGHT, Palette, png
from telefine_assets.pages.page import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE = (10.0, 3.3)
_EARLIER = 0.45
"""How faint the days before are."""
_TICKS = 16
_POINT = 10_000  # ppm in one percentage point

VOLUME, SCORE, SPENT = "volume", "score", "spent"


def pictures_of(found: Gathered) -> dict[str, Picture]:
    """The pictures by name; none where no day has anything to draw."""
    days = [*found.before.days, *found.this.days]
    drawn: dict[str, Picture] = {}
    if any(each.volume for each in days):
        words = "Bars: usable and dropped traces of each day; the numbers are in the tables."
        drawn[VOLUME] = _picture(found, days, _draw_volume, words)
    if any(each.scores and each.scores.n for each in days):
        words = "The mean score of each day with its 95 % interval."
        drawn[SCORE] = _picture(found, days, _draw_scores, words)
    if any(each.calls for each in (*found.before.spent, *found.this.spent)):
        drawn[SPENT] = _picture(found, days, _spent_drawer(found), "Bars: what each day's work came to.")
    return drawn


Drawer = Callable[["Axes", Palette, Sequence[Day], Sequence[float]], None]


def _picture(found: Gathered, days: Sequence[Day], drawer: Drawer, alt: str) -> Picture:
    faint = [_EARLIER] * len(found.before.days) + [1.0] * len(found.this.days)

    def draw(axes: Axes, ink: Palette) -> None:
        drawer(axes, ink, days, faint)
        axes.set_xlim(-0.6, len(days) - 0.4)
        if found.before.days:
            axes.axvline(len(found.before.days) - 0.5, color=ink.muted, linewidth=1, linestyle=(0, (2, 3)))
        step = -(-len(days) // _TICKS)
        shown = [at for at in range(len(days)) if (len(days) - 1 - at) % step == 0]
        axes.set_xticks(shown, [days[at].day[5:] for at in shown])
        axes.tick_params(axis="x", length=0)

    return Picture(png(draw, _SIZE, LIGHT), png(draw, _SIZE, DARK), alt, wide=True)


def _draw_volume(axes: Axes, ink: Palette, days: Sequence[Day], faint: Sequence[float]) -> None:
    for at, (day, alpha) in enumerate(zip(days, faint, strict=True)):
        if day.volume is None:
            _nothing(axes, at, "no record", ink)
            continue
        usable, rest = day.volume.usable, day.volume.traces - day.volume.usable
        axes.bar(at, usable, color=ink.gain, alpha=alpha, width=0.72)
        axes.bar(at, rest, bottom=usable, color=ink.muted, alpha=alpha * 0.7, width=0.72)
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="y", integer=True)
    axes.set_ylabel("Traces: usable, dropped")


def _draw_scores(axes: Axes, ink: Palette, days: Sequence[Day], faint: Sequence[float]) -> None:
    for at, (day, alpha) in enumerate(zip(days, faint, strict=True)):
        estimate = mean(day.scores) if day.scores else None
        if estimate is None:
            _nothing(axes, at, "no score" if day.scores else "no record", ink)
            continue
        ends = [estimate.lower_ppm / _POINT, estimate.upper_ppm / _POINT]
        axes.plot([at, at], ends, color=ink.power, alpha=alpha * 0.45, linewidth=9, solid_capstyle="butt")
        axes.plot([at], [estimate.ppm / _POINT], color=ink.power, alpha=alpha, marker="o", markersize=7)
    axes.set_ylabel("Mean score, %")


def _spent_drawer(found: Gathered) -> Drawer:
    """Bars of money, where all of it is known and there is any, else of questions."""
    spent = [*found.before.spent, *found.this.spent]
    total = cost(spent)
    in_money = bool(total.cost_micros)

    def draw(axes: Axes, ink: Palette, days: Sequence[Day], faint: Sequence[float]) -> None:
        for at, (day, alpha) in enumerate(zip(days, faint, strict=True)):
            came_to = cost(each for each in spent if each.work.day == day.day)
            height = (came_to.cost_micros or 0) / 1e6 if in_money else came_to.calls
            axes.bar(at, height, color=ink.rule, alpha=alpha, width=0.72)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("US dollars" if in_money else "Questions asked")

    return draw


def _nothing(axes: Axes, at: int, why: str, ink: Palette) -> None:
    """A day of which nothing is known must not look like one on which nothing came."""
    axes.annotate(
        why,
        (at, 0.04),
        xycoords=("data", "axes fraction"),
        ha="center",
        va="bottom",
        rotation=90,
        fontsize=9,
        color=ink.muted,
    )
