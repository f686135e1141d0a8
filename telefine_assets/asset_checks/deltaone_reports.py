"""Checks of ``deltaone_reports``."""

import dagster as dg

from telefine_assets.asset_checks.daily import Problems, check, days_of, result
from telefine_assets.assets.line import Line
from telefine_assets.resources.storage import StoreResource

STAGE = "deltaone_reports"


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
                if stored != again or again["reached"] != record["reached"]:
                    yield f"the report says {stored['code']}, its rows say {again['code']}"

        return result(days_of(context, store.records.days(line.name, STAGE)), problems)

    return [decision_follows_from_rows]
