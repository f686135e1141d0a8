"""Pictures as PNG bytes that depend on what they show alone.

No date, version or path enters the file, so the same numbers give the same bytes
with the same matplotlib, and the picture can be stored by its digest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Palette:
    """Colours of a picture: its surroundings, and what is drawn."""

    paper: str
    ink: str
    muted: str
    gain: str
    rule: str
    power: str


LIGHT = Palette("#ffffff", "#22303c", "#6b7a88", "#1b7f5c", "#c2571a", "#2b6cb0")
DARK = Palette("#1b222b", "#e6edf3", "#93a1ae", "#4fc394", "#f0935a", "#6fb1f5")


def png(draw: Callable[[Axes, Palette], None], size: tuple[float, float], ink: Palette = LIGHT) -> bytes:
    """What ``draw`` draws on a figure of its own, without pyplot's global state.

    ``size`` is width and height in inches, of 150 pixels each.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        # A user's matplotlibrc must not change the bytes.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {"font.family": "DejaVu Sans", "font.size": 11, "text.color": ink.ink, "axes.labelcolor": ink.ink}
        )
        matplotlib.rcParams["text.parse_math"] = False
        figure = Figure(figsize=size, facecolor=ink.paper, layout="constrained")
        figure.get_layout_engine().set(w_pad=0.15, h_pad=0.12)  # type: ignore[union-attr, call-arg]
        FigureCanvasAgg(figure)
        axes = figure.add_subplot(facecolor=ink.paper)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set_color(ink.muted)
        axes.tick_params(colors=ink.muted, labelcolor=ink.ink)
        draw(axes, ink)
        out = BytesIO()
        figure.savefig(out, format="png", dpi=150, metadata={"Software": None})
    return out.getvalue()


def title(axes: Axes, headline: str, below: str, ink: Palette) -> None:
    """Put a headline above the axes, and a quieter line below it."""
    axes.set_title(headline, loc="left", fontsize=14, fontweight="bold", pad=34)
    axes.annotate(below, (0, 1), (0, 14), xycoords="axes fraction", textcoords="offset points", color=ink.muted)
