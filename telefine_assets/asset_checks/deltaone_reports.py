"""Checks of ``deltaone_reports``."""

import dagster as dg

from telefine_assets.asset_checks.daily import Problems, check, days_of, result
from telefine_assets.assets.line import Line
from telefine_assets.assets.metadata import table_of
from telefine_assets.resources.storage import StoreResource

STAGE = "deltaone_reports"
LISTED = 50


def build(line: Line) -> list[dg.AssetChecksDefinition]:
    """The checks for one program."""

    @check(line, STAGE)
    def decision_follows_from_rows(context: dg.AssetCheckExecutionContext, store: StoreResource) -> dg.AssetCheckResult:
        """Deciding again from the stored per-item results gives the stored decision."""
        from telefine_assets.deltaone.comparing import decide_again

        def problems(day: str) -> Problems:
            record = store.records.read(line.name, STAGE, day)
            if record["evidence"]:
                stored, again = decide_again(record["evidence"], store.evidence.get)
                # Codes and numbers of a decision stay unsaid: its holdout may still be in use.
                if stored != again or again["reached"] != record["reached"]:
                    yield "the stored rows do not give the stored decision: the report or its evidence was changed"

        return result(days_of(context, store.records.days(line.name, STAGE)), problems)

    @check(line, STAGE, blocking=False)
    def candidate_does_not_regress(context: dg.AssetCheckExecutionContext, store: StoreResource) -> dg.AssetCheckResult:
        """On items of earlier, retired holdouts the candidate is not worse than the program that serves."""
        from telefine_assets.deltaone.breakdown import too_many_regressions
        from telefine_assets.deltaone.regressions import item_cells

        found = {
            day: asked
            for day in days_of(context, store.records.days(line.name, STAGE))
            if (asked := store.records.read(line.name, STAGE, day).get("regressions"))
        }
        limit = line.settings.deltaone.max_regressions
        problems = [(day, why) for day, asked in found.items() if (why := too_many_regressions(asked, limit))]
        items = [(day, *item_cells(item)) for day, asked in found.items() for item in asked["regressed"]]
        asked_in_all = sum(asked["asked"] for asked in found.values())
        columns = ["day", "item", "asked", "right", "baseline", "candidate"]
        return dg.AssetCheckResult(
            passed=not problems,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "asked": asked_in_all or "none: nothing has retired, or no candidate was compared",
                "problems": table_of(["day", "problem"], problems) if problems else "none",
                "worse": table_of(columns, items[:LISTED]) if items else "none",
            },
        )

    return [decision_follows_from_rows, candidate_does_not_regress]
