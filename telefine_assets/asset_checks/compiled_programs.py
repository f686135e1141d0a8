"""Checks of ``compiled_programs``."""

from collections.abc import Iterable
from functools import cache

import dagster as dg

from telefine_assets.asset_checks.daily import Problems, check, days_of, result
from telefine_assets.assets.line import Line
from telefine_assets.resources.storage import StoreResource

STAGE = "compiled_programs"


def build(line: Line) -> list[dg.AssetChecksDefinition]:
    """The checks for one program."""

    @check(line, STAGE)
    def demos_come_from_train(context: dg.AssetCheckExecutionContext, store: StoreResource) -> dg.AssetCheckResult:
        """Every demo of the candidate is a train trace of the window that it was learnt from; none was held out."""
        from telefine_assets.programs.origins import Origins
        from telefine_assets.store.kept import kept_from

        first = kept_from(store.records, line.name)
        stored = store.records.days(line.name, STAGE)
        cleaned = store.tables.days(line.name, "cleaned_traces")

        @cache
        def demos(day: str) -> dict[tuple[str, str], str]:
            made = store.records.read(line.name, STAGE, day)["demos"]
            return {(each["predictor"], each["digest"]): each["trace_id"] for each in made}

        @cache
        def sides(day: str) -> dict[str, str] | None:
            if line.window(day)[0] < first:
                return None
            return of_days(each for each in line.window(day) if each in cleaned)

        @cache
        def sides_before(day: str) -> dict[str, str] | None:
            # lookback_days may have been larger then.
            return None if line.window(day)[0] < first else of_days(each for each in cleaned if each <= day)

        def of_days(days: Iterable[str]) -> dict[str, str]:
            found: dict[str, str] = {}
            for day in days:
                rows = store.tables.columns(line.name, "cleaned_traces", day, ["trace_id", "split"])
                found |= zip(rows["trace_id"].to_pylist(), rows["split"].to_pylist(), strict=True)
            return found

        return result(days_of(context, stored), Origins(stored, demos, sides, sides_before).problems)

    @check(line, STAGE)
    def versions_can_be_loaded(context: dg.AssetCheckExecutionContext, store: StoreResource) -> dg.AssetCheckResult:
        """The stored documents of baseline and candidate make programs."""
        from telefine_assets.errors import TelefineError
        from telefine_assets.programs.spec import load_spec
        from telefine_assets.programs.versions import Version

        def problems(day: str) -> Problems:
            spec = load_spec(line.name, line.settings)
            record = store.records.read(line.name, STAGE, day)
            for side in ("baseline", "candidate"):
                try:
                    if record[side] is not None:
                        Version(store.evidence.get(record[side])).module(spec)
                except TelefineError as error:
                    yield f"{side}: {error}"

        return result(days_of(context, store.records.days(line.name, STAGE)), problems)

    return [demos_come_from_train, versions_can_be_loaded]
