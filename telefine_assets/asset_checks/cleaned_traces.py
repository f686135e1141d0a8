"""Checks of ``cleaned_traces``."""

import dagster as dg

from telefine_assets.asset_checks.daily import Problems, check, days_of, result
from telefine_assets.assets.line import Line
from telefine_assets.resources.storage import StoreResource

STAGE = "cleaned_traces"
_PPM = 1_000_000


def build(line: Line) -> list[dg.AssetChecksDefinition]:
    """The checks for one program."""

    @check(line, STAGE)
    def nothing_is_lost(context: dg.AssetCheckExecutionContext, store: StoreResource) -> dg.AssetCheckResult:
        """Traces in are traces kept plus traces dropped, and every drop has its rule."""

        def problems(day: str) -> Problems:
            counted = store.records.read(line.name, STAGE, day)["dropped"]
            came, kept, dropped = (
                store.tables.columns(line.name, table, day, ["trace_id"])["trace_id"].to_pylist()
                for table in ("traces", STAGE, "dropped_traces")
            )
            if sorted(came) != sorted(kept + dropped):
                yield f"{len(came)} traces came, {len(kept)} were kept and {len(dropped)} dropped"
            if sum(counted.values()) != len(dropped):
                yield f"the rules count {sum(counted.values())} drops, {len(dropped)} are listed"

        return result(days_of(context, store.tables.days(line.name, STAGE)), problems)

    @check(line, STAGE)
    def scores_are_within_their_range(
        context: dg.AssetCheckExecutionContext, store: StoreResource
    ) -> dg.AssetCheckResult:
        """Scores, qualities and disagreements are parts per million, or missing; a missing one is not 0."""

        def problems(day: str) -> Problems:
            import pyarrow.compute as pc

            names = ["score_ppm", "quality_ppm", "disagreement_ppm"]
            table = store.tables.columns(line.name, STAGE, day, names)
            for name in names:
                low, high = pc.min_max(table[name]).as_py().values()
                if low is not None and not 0 <= low <= high <= _PPM:
                    yield f"{name} goes from {low} to {high}"

        return result(days_of(context, store.tables.days(line.name, STAGE)), problems)

    @check(line, STAGE)
    def nothing_straddles_the_splits(
        context: dg.AssetCheckExecutionContext, store: StoreResource
    ) -> dg.AssetCheckResult:
        """Every input, content cluster, session and group stands on one side only, over all stored days."""
        what = ("content", "cluster", "group", "session")
        sides: dict[tuple[str, str], set[str]] = {}
        stored = store.tables.days(line.name, STAGE)
        for day in stored:
            table = store.tables.columns(line.name, STAGE, day, [*what, "split"])
            splits = table["split"].to_pylist()
            for name in what:
                for value, split in zip(table[name].to_pylist(), splits, strict=True):
                    if value is not None:
                        sides.setdefault((name, value), set()).add(split)
        astray = [each for each, found in sides.items() if len(found) > 1]
        last = days_of(context, stored)[-1:]
        return result(last, lambda day: [f"{name} {value} is on several sides" for name, value in astray])

    @check(line, STAGE, blocking=False)
    def contributors_are_known(context: dg.AssetCheckExecutionContext, store: StoreResource) -> dg.AssetCheckResult:
        """Nine in ten kept traces name a wallet that can be paid."""

        def problems(day: str) -> Problems:
            wallets = store.tables.columns(line.name, STAGE, day, ["contributor"])["contributor"]
            if len(wallets) and wallets.null_count * 10 > len(wallets):
                yield f"{wallets.null_count} of {len(wallets)} kept traces have no wallet; their share goes to escrow"

        return result(days_of(context, store.tables.days(line.name, STAGE)), problems, blocking=False)

    return [
        nothing_is_lost,
        scores_are_within_their_range,
        nothing_straddles_the_splits,
        contributors_are_known,
    ]
