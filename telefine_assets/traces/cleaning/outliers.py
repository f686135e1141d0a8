"""What is far from a day's other traces, and answers that nearly all of them got.

Robust statistics: the modified z-score of B. Iglewicz and D. Hoaglin, How to
Detect and Handle Outliers, 1993: 0.6745 (x - median) / MAD, and where more than
half of the values are the same, so that the MAD is 0, (x - median) / (1.253314
times the mean absolute deviation). Where asked for: an isolation forest (F. T.
Liu, K. M. Ting and Z.-H. Zhou, 2008).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from telefine_assets.settings.traces import OutlierSettings
from telefine_assets.traces.cleaning.day import Day
from telefine_assets.traces.cleaning.judging import answer_column
from telefine_assets.traces.cleaning.outcomes import PPM

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[Any, np.dtype[np.float64]]

FOREST: Final = "outlier:isolation_forest"
_OF_MAD: Final = 0.6745
_OF_MEAN_DEVIATION: Final = 1 / 1.253314
_SEED: Final = 20_080_912


def judge_outliers(day: Day, settings: OutlierSettings, free_text: Sequence[str]) -> dict[str, Any]:
    """Flag or drop what is far from the traces that still stand; returns what the report says of it.

    With fewer than ``min_traces`` values nothing is judged, and a trace that
    lacks a value is not judged by it. An output that nearly every trace has is
    flagged, and dropped if it would be the label: a correction of it is not the
    program's answer but what it should have been.
    """
    report: dict[str, Any] = {"method": settings.method, "action": settings.action, "min_traces": settings.min_traces}
    rows = day.standing()
    if settings.method == "mad":
        report |= {"threshold": _text(settings.threshold), "features": _by_mad(day, rows, settings)}
    elif settings.method == "isolation_forest":
        report |= {"contamination": _text(settings.contamination), **_by_forest(day, rows, settings)}
    if settings.max_output_share is not None:
        limit = round(settings.max_output_share * PPM)
        found = {name: _constant(day, name, limit, settings) for name in free_text}
        report["constant_output"] = {"max_share_ppm": limit, "fields": found}
    return report


def _by_mad(day: Day, rows: Sequence[int], settings: OutlierSettings) -> dict[str, Any]:
    import numpy as np

    found: dict[str, Any] = {}
    far: set[int] = set()
    for feature in settings.features:
        values = _feature(day, feature, rows)
        known = np.flatnonzero(~np.isnan(values))
        if len(known) < settings.min_traces:
            found[feature] = {"judged": 0}
            continue
        values = values[known]
        median, deviation, factor, name = _deviation(values)
        scores = factor * np.abs(values - median) / deviation if deviation else np.zeros(len(values))
        odd = [rows[at] for at in known[scores >= settings.threshold].tolist()]
        day.flag(odd, f"outlier:{feature}")
        far.update(odd)
        reach = settings.threshold * deviation / factor
        found[feature] = {
            "judged": len(values),
            "far": len(odd),
            "median": _text(median),
            name: _text(deviation),
            "from": _text(median - reach),
            "to": _text(median + reach),
        }
    if settings.action == "drop":
        day.drop(sorted(far), "outlier")
    return found


def _by_forest(day: Day, rows: Sequence[int], settings: OutlierSettings) -> dict[str, Any]:
    import numpy as np

    columns = {feature: _feature(day, feature, rows) for feature in settings.features}
    enough = {
        feature: values for feature, values in columns.items() if np.sum(~np.isnan(values)) >= settings.min_traces
    }
    if not enough:
        return {"judged": 0, "features": []}
    from sklearn.ensemble import IsolationForest

    # A missing value must not make a trace odd: it counts as the day's median.
    matrix = np.column_stack([np.where(np.isnan(each), np.nanmedian(each), each) for each in enough.values()])
    forest = IsolationForest(contamination=settings.contamination, random_state=_SEED, n_jobs=1)
    odd = [rows[at] for at in np.flatnonzero(forest.fit_predict(matrix) == -1).tolist()]
    day.flag(odd, FOREST)
    if settings.action == "drop":
        day.drop(odd, "outlier")
    return {"judged": len(rows), "far": len(odd), "features": list(enough)}


def _constant(day: Day, name: str, limit_ppm: int, settings: OutlierSettings) -> dict[str, Any]:
    answers = day.column(answer_column(name))
    rows = [row for row in day.standing() if answers[row] is not None]
    counts = Counter(answers[row] for row in rows)
    largest = max(counts.values(), default=0)
    report = {"judged": len(rows), "different": len(counts), "largest": largest, "far": 0}
    if len(rows) < settings.min_traces:
        return {**report, "judged": 0}
    odd = [row for row in rows if counts[answers[row]] * PPM > limit_ppm * len(rows)]
    day.flag(odd, "constant_output")
    if settings.action == "drop":
        corrected = day.column("expected")
        day.drop((row for row in odd if not corrected[row]), "constant_output")
    return {**report, "far": len(odd)}


def _feature(day: Day, name: str, rows: Sequence[int]) -> Floats:
    import numpy as np

    values = day.column(name)
    return np.array([values[row] for row in rows], dtype=float)


def _deviation(values: Floats) -> tuple[float, float, float, str]:
    """The median, the typical distance from it, what makes a score of such a distance, and its name."""
    import numpy as np

    median = float(np.median(values))
    distances = np.abs(values - median)
    mad = float(np.median(distances))
    if mad:
        return median, mad, _OF_MAD, "mad"
    return median, float(np.mean(distances)), _OF_MEAN_DEVIATION, "mean_deviation"


def _text(number: float) -> str:
    """A number of a report as text: its bytes must not depend on how a reader writes floats."""
    return format(number, ".12g")
