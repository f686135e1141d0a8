"""``contributor_weights``: who contributed how much to the candidate."""

import dagster as dg

from telefine_assets.assets import metadata
from telefine_assets.assets.line import Line
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.storage import LedgerResource, StoreResource

STAGE = "contributor_weights"


def build(line: Line) -> dg.AssetsDefinition:
    """The asset for one program."""

    @dg.asset(
        **line.look(STAGE, {"ethereum"}, "1"),
        deps=[line.same_day("compiled_programs"), line.window_of("cleaned_traces")],
        description="Parts per million per wallet, for the demos that are in the candidate; "
        "what cannot be given to a wallet is in escrow.",
    )
    def contributor_weights(
        context: dg.AssetExecutionContext, store: StoreResource, ledger: LedgerResource, tracking: MlflowResource
    ) -> dg.MaterializeResult:
        from telefine_assets.attribution.weighing import weigh_day
        from telefine_assets.ledger.closing import standing_or
        from telefine_assets.ledger.looks import Looks
        from telefine_assets.traces.records import table_to_cleaned

        day = context.partition_key
        compiled = store.records.read(line.name, "compiled_programs", day)
        cleaned = table_to_cleaned(store.tables.read_window(line.name, "cleaned_traces", line.window(day)))
        with tracking.run(line.name, STAGE, day, context.run_id) as run:
            record = standing_or(
                Looks(ledger.open()).closed(line.name, day),
                store.records.find(line.name, STAGE, day),
                lambda: weigh_day(compiled, cleaned, store.evidence.put),
            )
            digest = store.records.write(line.name, STAGE, day, record)
            weights = {each["address"]: each for each in record["weights"]["lines"]}
            escrow = record["weights"]["escrow"]
            run.metrics({"wallets": len(weights), "escrow_ppm": sum(each["weight_ppm"] for each in escrow)})
        nothing = {"trace_ids": [], "weight_ppm": 0}
        return dg.MaterializeResult(
            data_version=dg.DataVersion(digest),
            metadata={
                "weights": metadata.table_of(
                    ["contributor", "traces in the window", "demos used", "weight (ppm)"],
                    [
                        (who, given, len(mine["trace_ids"]), mine["weight_ppm"])
                        for who, given in record["given"].items()
                        for mine in [weights.get(who, nothing)]
                    ],
                ),
                "escrow": metadata.table_of(
                    ["reason", "weight (ppm)", "traces"],
                    [(each["reason"], each["weight_ppm"], ", ".join(each["trace_ids"])) for each in escrow],
                ),
                "nothing_because": record["weights"]["reason"] or "",
                "mlflow_run": metadata.link(run.url, run.run_id),
            },
        )

    return contributor_weights
