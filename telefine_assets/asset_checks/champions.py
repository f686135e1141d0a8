"""Checks of ``champions``."""

import dagster as dg

from telefine_assets.asset_checks.daily import check, days_of, result
from telefine_assets.assets.line import Line
from telefine_assets.resources.storage import LedgerResource, StoreResource

STAGE = "champions"


def build(line: Line) -> list[dg.AssetChecksDefinition]:
    """The checks for one program."""

    @check(line, STAGE)
    def champion_can_serve(
        context: dg.AssetCheckExecutionContext, store: StoreResource, ledger: LedgerResource
    ) -> dg.AssetCheckResult:
        """The version that serves now is stored whole and makes a program."""
        from telefine_assets.errors import TelefineError
        from telefine_assets.ledger.champions import Champions
        from telefine_assets.programs.champions import serving
        from telefine_assets.programs.spec import load_spec

        problems = []
        try:
            spec = load_spec(line.name, line.settings)
            serving(spec, Champions(ledger.open()).current(line.name), store.evidence.get, {}).module(spec)
        except TelefineError as error:
            problems.append(str(error))
        last = days_of(context, store.records.days(line.name, STAGE))[-1:]
        return result(last, lambda day: problems)

    return [champion_can_serve]
