"""``contributor_weights``: who contributed how much to the candidate."""

import dagster as dg

from telefine_assets.assets import metadata
from telefine_assets.assets.line import Line
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.storage import StoreResource

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
        context: dg.AssetExecutionContext, store: StoreResource, tracking: MlflowResource
    ) -> dg.MaterializeResult:
        from telefine_assets.attribution.weighing import weigh
        from telefine_assets.traces.records import table_to_cleaned

        day = context.partition_key
        compiled = store.records.read(line.name, "compiled_programs", day)
        with tracking.run(line.name, STAGE, day, context.run_id) as run:
            weighed = weigh(
                compiled["demos"],
                table_to_cleaned(store.tables.read_window(line.name, "cleaned_traces", line.window(day))),
            )
            record = weighed.to_record() | {"evidence": {"attribution.json": store.evidence.put(weighed.facts)}}
            digest = store.records.write(line.name, STAGE, day, record)
            run.metrics({"wallets": len(weighed.table.lines), "escrow_ppm": weighed.table.escrow_ppm})
        weights = {each.address: each for each in weighed.table.lines}
        return dg.MaterializeResult(
            data_version=dg.DataVersion(digest),
            metadata={
                "weights": metadata.table_of(
                    ["contributor", "traces in the window", "demos used", "weight (ppm)"],
                    [
                        (who, given, len(weights[who].trace_ids), weights[who].weight_ppm)
                        if who in weights
                        else (who, given, 0, 0)
                        for who, given in weighed.given.items()
                    ],
                ),
                "escrow": metadata.table_of(
                    ["reason", "weight (ppm)", "traces"],
                    [(each.reason, each.weight_ppm, ", ".join(each.trace_ids)) for each in weighed.table.escrow],
                ),
                "nothing_because": weighed.table.reason or "",
                "mlflow_run": metadata.link(run.url, run.run_id),
            },
        )

    return contributor_weights
