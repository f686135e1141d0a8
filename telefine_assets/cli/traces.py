"""``telefine traces``: what was loaded, what became of it, and what must be loaded again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telefine_assets.cli.shared import AsJson, Program, chosen, print_json, print_table, short
from telefine_assets.errors import TelefineError

if TYPE_CHECKING:
    from telefine_assets.settings.schema import Settings
    from telefine_assets.traces.inspecting import DayStats, Stored

app = typer.Typer(no_args_is_help=True, help="Look at traces: what was loaded, what became of it, what has changed.")

First = Annotated[str | None, typer.Option("--from", help="First day, YYYY-MM-DD; by default the first there is.")]
Last = Annotated[str | None, typer.Option("--to", help="Last day; by default the last there is.")]

_BAR = 40
_LINE, _SAID = 90, 40


@app.command()
def changed(
    program: Program = None,
    first: First = None,
    last: Last = None,
    as_json: AsJson = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 when a day must be loaded again.")] = False,
) -> None:
    """Name the days whose traces are not what is stored: late feedback, new tags, deletions, late traces.

    Example: telefine traces changed --from 2026-11-01 --to 2026-11-30
    """
    from telefine_assets.partitions import bounds_ms
    from telefine_assets.programs.spec import load_spec
    from telefine_assets.traces.changes import changed_days
    from telefine_assets.traces.days import TRACES
    from telefine_assets.traces.sources.opening import open_source, query_of

    settings, name, own = chosen(program)
    days = _days(settings, first, last)
    source = open_source(settings.mlflow.trace_source, settings.mlflow.tracking_uri, own.traces.files)
    query = query_of(own, load_spec(name, own).fields.inputs, bounds_ms(days[0])[0], bounds_ms(days[-1])[1])
    tables = _stored(settings, name).tables
    known = set(tables.days(name, TRACES))

    def stored(day: str) -> Any:
        return tables.columns(name, TRACES, day, ["trace_id", "fingerprint"]) if day in known else None

    found = list(changed_days(days, source.fingerprints(query), stored))
    if as_json:
        print_json([each.to_record() for each in found])
    else:
        for each in found:
            how = f"{each.changed} changed, {each.added} added, {each.removed} removed" if each.loaded else "not loaded"
            typer.echo(f"{each.day}  {how}  (such as {', '.join(each.samples[:2])})")
        typer.echo(
            f"{len(found)} of {len(days)} days must be loaded" if found else f"nothing changed in {len(days)} days"
        )
    if check and found:
        raise typer.Exit(1)


@app.command()
def stats(program: Program = None, first: First = None, last: Last = None, as_json: AsJson = False) -> None:
    """Count what was loaded, kept and dropped, by rule, side, score and contributor.

    Example: telefine traces stats --from 2026-11-01
    """
    from telefine_assets.traces.inspecting import stats_of

    settings, name, _ = chosen(program)
    found = stats_of(_stored(settings, name), _days(settings, first, last))
    if as_json:
        print_json([each.to_record() for each in found])
        return
    if not found:
        raise TelefineError(f"no day of {name} is stored; materialise {name}/traces first")
    _print_stats(found)


@app.command()
def inspect(
    day: Annotated[str, typer.Argument(help="The day, YYYY-MM-DD.")],
    program: Program = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many traces.")] = 20,
    status: Annotated[str | None, typer.Option("--status", help="Only traces of this status.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show traces of a day, with feedback and with what cleaning made of them.

    Example: telefine traces inspect 2026-11-02 --status ERROR
    """
    from telefine_assets.traces.inspecting import rows_of

    settings, name, _ = chosen(program)
    rows = list(rows_of(_stored(settings, name), day, limit, status))
    if as_json:
        print_json(rows)
        return
    for row in rows:
        at = datetime.fromtimestamp(row["request_time_ms"] // 1000, tz=UTC).strftime("%H:%M:%S")
        typer.echo(f"{row['trace_id']}  {at}  {row['status']}  {row['fate']}")
        said = ", ".join(f"{short(key)}={short(str(value), _SAID)}" for key, value in row["said"].items())
        for name, text in (("in", short(row["inputs"], _LINE)), ("out", short(row["outputs"], _LINE)), ("said", said)):
            if text:
                typer.echo(f"    {name:<4}  {text}")


@app.command()
def why(
    trace_id: Annotated[str, typer.Argument(help="The trace's id in MLflow.")],
    program: Program = None,
    as_json: AsJson = False,
) -> None:
    """Say what became of one trace: which rule dropped it, or where it is used.

    Example: telefine traces why tr-0123456789abcdef0123456789abcdef
    """
    from telefine_assets.programs.spec import load_spec
    from telefine_assets.traces.cleaning.missing import why_unlabelled
    from telefine_assets.traces.inspecting import fate_of

    settings, name, own = chosen(program)

    def unlabelled(trace: Mapping[str, Any]) -> str | None:
        return why_unlabelled(trace, load_spec(name, own).fields, own.cleaning)

    fate = fate_of(_stored(settings, name), trace_id, unlabelled)
    if as_json:
        print_json(fate.to_record())
        return
    typer.echo(f"{trace_id}, {name}, {fate.day}\n{fate.told}")
    for key in ("inputs", "outputs", "error", "assessments"):
        if fate.trace[key]:
            typer.echo(f"  {key:<12} {short(fate.trace[key], 400)}")
    for key in (
        "label",
        "label_source",
        "score_ppm",
        "quality_ppm",
        "flags",
        "cluster",
        "contributor",
        "contributor_reason",
    ):
        if fate.cleaned and fate.cleaned[key] is not None:
            typer.echo(f"  {key:<12} {fate.cleaned[key]}")
    for demo in fate.demo_in:
        typer.echo(f"  demo {demo['position']} of {demo['predictor']} in {demo['version']} ({demo['day']})")


def _stored(settings: Settings, program: str) -> Stored:
    from telefine_assets.store.files import Files
    from telefine_assets.store.records import RecordStore
    from telefine_assets.store.tables import TableStore
    from telefine_assets.traces.inspecting import Stored

    files = Files(settings.store.uri)
    return Stored(TableStore(files), RecordStore(files), program)


def _days(settings: Settings, first: str | None, last: str | None) -> list[str]:
    from telefine_assets.partitions import days_from

    today = datetime.now(UTC).date()
    end = min(settings.partitions.end, today) if settings.partitions.end else today
    try:
        days = days_from(first or settings.partitions.start.isoformat(), last or end.isoformat())
    except ValueError as error:
        raise TelefineError(f"--from and --to are days such as 2026-11-30: {error}") from None
    if not days:
        raise TelefineError("there is no day between --from and --to")
    return days


def _print_stats(found: Sequence[DayStats]) -> None:
    rules = list(dict.fromkeys(rule for each in found for rule in each.dropped))
    print_table(
        ("day", "loaded", "kept", *rules, "train", "validation", "holdout"),
        [
            (
                *(each.day, each.loaded, "-" if each.kept is None else each.kept),
                *(each.dropped.get(rule, 0) for rule in rules),
                *(each.splits.get(side, 0) for side in ("train", "validation", "holdout")),
            )
            for each in found
        ],
    )
    scores = [sum(each.scores[tenth] for each in found) for tenth in range(10)]
    if any(scores):
        typer.echo("\nKept traces by score:")
        for tenth, count in enumerate(scores):
            typer.echo(
                f"  {tenth / 10:.1f} to {(tenth + 1) / 10:.1f}  {'#' * (count * _BAR // max(scores)):<{_BAR}} {count}"
            )
