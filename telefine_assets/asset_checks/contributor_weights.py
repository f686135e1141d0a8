"""Checks of ``contributor_weights``."""

import dagster as dg

from telefine_assets.asset_checks.daily import Problems, check, days_of, result
from telefine_assets.assets.line import Line
from telefine_assets.resources.storage import StoreResource

STAGE = "contributor_weights"


def build(line: Line) -> list[dg.AssetChecksDefinition]:
    """The checks for one program."""

    @check(line, STAGE)
    def weights_follow_from_facts(context: dg.AssetCheckExecutionContext, store: StoreResource) -> dg.AssetCheckResult:
        """The weights sum to exactly a million, or to nothing with a reason, and follow from the stored facts."""
        from telefine_assets.attribution.facts import FACTS_FILE, recompute_weights

        def problems(day: str) -> Problems:
            record = store.records.read(line.name, STAGE, day)
            table = recompute_weights(store.evidence.get(record["evidence"][FACTS_FILE]))
            if table.to_record() != record["weights"]:
                yield "the stored weights are not those that the facts give"
            if table.total_ppm != (0 if table.reason else 1_000_000):
                yield f"the weights sum to {table.total_ppm}"

        return result(days_of(context, store.records.days(line.name, STAGE)), problems)

    return [weights_follow_from_facts]
