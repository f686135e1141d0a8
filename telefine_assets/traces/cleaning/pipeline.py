"""The whole of cleaning, for one day of one program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from telefine_assets.errors import TelefineError
from telefine_assets.settings.schema import SplitSettings
from telefine_assets.settings.traces import CleaningSettings
from telefine_assets.traces.cleaning.annotations import FieldTypes
from telefine_assets.traces.cleaning.audit import Checked
from telefine_assets.traces.cleaning.balance import balanced, weight_ppm
from telefine_assets.traces.cleaning.day import Day
from telefine_assets.traces.cleaning.judging import judge, value_column
from telefine_assets.traces.cleaning.outcomes import PPM
from telefine_assets.traces.cleaning.outliers import judge_outliers
from telefine_assets.traces.cleaning.quality import Curve
from telefine_assets.traces.cleaning.report import DropReport, by_contributor, drops_by_rule
from telefine_assets.traces.cleaning.scale import Scale, scales_of, score
from telefine_assets.traces.clusters import split_of
from telefine_assets.traces.fields import Fields
from telefine_assets.traces.records import Split, cleaned_schema, json_text

if TYPE_CHECKING:
    import pyarrow as pa

_ARRIVALS: Final = ("trace_id", "arrival_ms", "content", "text", "session")
_TAKEN: Final = (
    *("trace_id", "digest", "arrival_ms", "inputs", "label", "label_source", "contributor", "contributor_reason"),
    *("content", "session", "version", "disagreement_ppm", "submission"),
)


class CleaningError(TelefineError):
    """A day cannot be cleaned as the settings say."""


@dataclass(frozen=True)
class CleanedDay:
    """A day's traces that may be learnt from, and what became of the others."""

    table: pa.Table
    """In the columns of ``cleaned_schema``, ordered by arrival and id."""
    report: DropReport
    index: pa.Table
    """What later days need to know of this day's inputs to recognise those that nearly say the same."""


@dataclass(frozen=True)
class _Place:
    cluster: str
    group: str
    split: Split


def clean_day(
    batches: Iterable[pa.RecordBatch],
    day: str,
    fields: Fields,
    settings: CleaningSettings,
    split: SplitSettings,
    index: Iterable[pa.Table] = (),
    own_index: pa.Table | None = None,
    earlier_audit: Mapping[str, Checked] | None = None,
) -> CleanedDay:
    """Clean one day.

    Copies of an input stay, each with its contributor and time of arrival, so
    that the first one can be credited; a later stage learns from one trace of
    each cluster. The order of ``batches`` and of their rows is irrelevant, and
    so are other days, but for the ``index`` of their inputs and for what the
    trusted rater found about contributors on earlier days.

    Raises:
        CleaningError: a trace stands twice in the day.
    """
    judged = judge(batches, fields, settings)
    found = Day(judged.table)
    _refuse_copies(found)
    scales, scores = _scored(found, settings)
    careless = judged.audit.careless(earlier_audit or {})
    _judge_labels(found, scores, settings, frozenset(careless))
    outliers = judge_outliers(found, settings.outliers, FieldTypes(fields).free_text)
    places, new_index = _placed(found, day, settings, split, index, own_index)
    balance = _balance(found, places, settings, split)
    kept = found.standing()
    report = DropReport(
        **drops_by_rule(found.column("trace_id"), found.rules),
        audit=judged.audit.found,
        careless=careless,
        values_ignored=judged.notes.ignored(),
        values_clipped=judged.notes.clipped(),
        scales=[scale.to_record() for scale in scales],
        flagged=dict(sorted(Counter(flag for row in kept for flag in found.flags.get(row, ())).items())),
        outliers=outliers,
        balance=balance,
        splits=dict(sorted(Counter(places[row].split for row in kept).items())),
        contributors=by_contributor(found.column("who"), found.rules),
        absent=judged.names.absent(day, settings),
    )
    return CleanedDay(_table(found, kept, day, scores, places, settings), report, new_index)


def _refuse_copies(day: Day) -> None:
    if len(set(day.column("trace_id"))) < len(day.rules):
        twice = [trace_id for trace_id, count in Counter(day.column("trace_id")).items() if count > 1]
        raise CleaningError(
            f"{len(twice)} traces stand more than once in the day ({', '.join(twice[:3])}); load its traces again"
        )


def _scored(day: Day, settings: CleaningSettings) -> tuple[tuple[Scale, ...], list[int | None]]:
    """The day's scales, and every row's score; rows that are dropped already have none."""
    columns = [day.column(value_column(each.feedback)) for each in settings.outcomes]
    rows = day.standing()
    scales = scales_of(settings, [[each[row] for row in rows if each[row] is not None] for each in columns])
    scores: list[int | None] = [None] * len(day.rules)
    for row in rows:
        scores[row] = score(scales, [each[row] for each in columns])
    return scales, scores


def _judge_labels(day: Day, scores: Sequence[int | None], settings: CleaningSettings, careless: frozenset[str]) -> None:
    """Drop what has no label, a faulty one, or one that cannot be trusted."""
    accept_ppm = round((settings.accept_outputs_at or 0) * PPM)
    sources, expected, faults = (day.column(name) for name in ("label_source", "expected", "fault"))
    audited, who = day.column("audited"), day.column("who")
    for row in day.standing():
        reached = scores[row]
        if sources[row] is None or not (expected[row] or (reached is not None and reached >= accept_ppm)):
            day.rules[row] = "unlabelled"
        elif faults[row] is not None:
            day.rules[row] = faults[row]
        elif not audited[row] and who[row] in careless:
            day.rules[row] = "untrusted_label"


def _placed(
    day: Day,
    name: str,
    settings: CleaningSettings,
    split: SplitSettings,
    index: Iterable[pa.Table],
    own: pa.Table | None,
) -> tuple[dict[int, _Place], pa.Table]:
    """Cluster, group and side of every row that still stands; those that cannot stand on one side are dropped."""
    from telefine_assets.traces.clustering.assigning import cluster_day

    def side_of(group: str) -> Split:
        return split_of(group, split.key.get_secret_value(), split.validation_percent, split.holdout_percent)

    rows = day.standing()
    clustered = cluster_day(day.taken(_ARRIVALS, rows), name, index, own, settings.near_duplicates, side_of)
    columns = (clustered.rows[name].to_pylist() for name in ("trace_id", "cluster", "group", "straddles"))
    by_id = {trace_id: rest for trace_id, *rest in zip(*columns, strict=True)}
    ids = day.column("trace_id")
    places: dict[int, _Place] = {}
    for row in rows:
        cluster, group, straddles = by_id[ids[row]]
        if straddles:
            day.rules[row] = "straddles_splits"
        else:
            places[row] = _Place(cluster, group, side_of(group))
    return places, clustered.index


def _balance(
    day: Day, places: dict[int, _Place], settings: CleaningSettings, split: SplitSettings
) -> dict[str, Any] | None:
    if settings.balance is None:
        return None
    rows = [row for row in day.standing() if places[row].split == "train"]
    categories = day.column("category")
    clusters = {row: places[row].cluster for row in rows}
    decided = balanced(
        rows, {row: categories[row] for row in rows}, clusters, settings.balance, split.key.get_secret_value()
    )
    day.drop(decided.over, "over_cap")
    return dict(decided.report)


def _table(
    day: Day,
    kept: Sequence[int],
    name: str,
    scores: Sequence[int | None],
    places: dict[int, _Place],
    settings: CleaningSettings,
) -> pa.Table:
    import pyarrow as pa

    taken = day.taken(_TAKEN, kept).rename_columns({"digest": "trace_digest"})
    made = {
        "day": [name] * len(kept),
        "score_ppm": [scores[row] for row in kept],
        "quality_ppm": _qualities(day, kept, scores, places, settings),
        "cluster": [places[row].cluster for row in kept],
        "group": [places[row].group for row in kept],
        "split": [places[row].split for row in kept],
        "flags": [json_text(day.flags.get(row, [])) for row in kept],
    }
    schema = cleaned_schema()
    columns = [pa.array(made[each.name], each.type) if each.name in made else taken[each.name] for each in schema]
    return pa.table(columns, schema=schema)


def _qualities(
    day: Day,
    kept: Sequence[int],
    scores: Sequence[int | None],
    places: dict[int, _Place],
    settings: CleaningSettings,
) -> list[int]:
    """A correction is worth a million, an accepted output what the curve says; on the train side times its weight."""
    curve, expected, categories = Curve(settings.quality), day.column("expected"), day.column("category")
    found = []
    for row in kept:
        worth = PPM if expected[row] else curve(scores[row] or 0)
        if settings.balance is not None and places[row].split == "train":
            worth = worth * weight_ppm(categories[row], settings.balance) // PPM
        found.append(worth)
    return found
