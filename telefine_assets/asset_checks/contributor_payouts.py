"""Checks of ``contributor_payouts``."""

import dagster as dg

from telefine_assets.asset_checks.daily import Problems, check, days_of, result
from telefine_assets.assets.line import Line
from telefine_assets.resources.storage import StoreResource

STAGE = "contributor_payouts"


def build(line: Line) -> list[dg.AssetChecksDefinition]:
    """The checks for one program."""

    @check(line, STAGE)
    def every_unit_is_accounted_for(
        context: dg.AssetCheckExecutionContext, store: StoreResource
    ) -> dg.AssetCheckResult:
        """Payments and escrow sum to the pool, and every claim proves itself against the root."""
        from telefine_assets.payouts.paying import claim_problems

        def problems(day: str) -> Problems:
            record = store.records.read(line.name, STAGE, day)
            return claim_problems(record, store.evidence.get)

        return result(days_of(context, store.records.days(line.name, STAGE)), problems)

    return [every_unit_is_accounted_for]
