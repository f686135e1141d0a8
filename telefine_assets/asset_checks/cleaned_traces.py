"""Checks of ``cleaned_traces``."""

import dagster as dg

from telefine_assets.asset_checks.daily import Problems, check, days_of, result
from telefine_assets.assets.line import Line
from telefine_assets.resources.storage import StoreResource

STAGE = "cleaned_traces"


def build(line: Line) -> list[dg.AssetChecksDefinition]:
    """The checks for one program."""

    @check(line, STAGE)
    def nothing_is_lost(context: dg.AssetCheckExecutionContext, store: StoreResource) -> dg.AssetCheckResult:
        """Traces in are traces kept plus traces dropped, and every drop has its reason."""

        def problems(day: str) -> Problems:
            report = store.records.read(line.name, STAGE, day)
            kept = store.tables.read(line.name, STAGE, day).num_rows
            came = store.tables.read(line.name, "traces", day).num_rows
            if came != kept + sum(report["dropped"].values()):
                yield f"{came} traces came, {kept} were kept and {sum(report['dropped'].values())} dropped"
            if len(report["drops"]) != sum(report["dropped"].values()):
                yield "dropped traces without a reason"

        return result(days_of(context, store.tables.days(line.name, STAGE)), problems)

    @check(line, STAGE)
    def no_cluster_straddles_splits(
        context: dg.AssetCheckExecutionContext, store: StoreResource
    ) -> dg.AssetCheckResult:
        """Every content cluster stands on one side only, over all stored days."""
        sides: dict[str, set[str]] = {}
        stored = store.tables.days(line.name, STAGE)
        for day in stored:
            table = store.tables.read(line.name, STAGE, day)
            for cluster, split in zip(table["cluster"].to_pylist(), table["split"].to_pylist(), strict=True):
                sides.setdefault(cluster, set()).add(split)
        astray = [cluster for cluster, found in sides.items() if len(found) > 1]
        last = days_of(context, stored)[-1:]
        return result(last, lambda day: [f"cluster {cluster} is on several sides" for cluster in astray])

    @check(line, STAGE, blocking=False)
    def contributors_are_known(context: dg.AssetCheckExecutionContext, store: StoreResource) -> dg.AssetCheckResult:
        """Nine in ten kept traces name a wallet that can be paid."""

        def problems(day: str) -> Problems:
            wallets = store.tables.read(line.name, STAGE, day)["contributor"]
            if len(wallets) and wallets.null_count * 10 > len(wallets):
                yield f"{wallets.null_count} of {len(wallets)} kept traces have no wallet; their share goes to escrow"

        return result(days_of(context, store.tables.days(line.name, STAGE)), problems, blocking=False)

    return [nothing_is_lost, no_cluster_straddles_splits, contributors_are_known]
