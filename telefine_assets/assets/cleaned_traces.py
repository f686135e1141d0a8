"""``cleaned_traces``: the traces that may be learnt from, and what became of the others."""

from collections import Counter

import dagster as dg

from telefine_assets.assets import metadata
from telefine_assets.assets.line import Line
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.storage import StoreResource

STAGE = "cleaned_traces"


def build(line: Line) -> dg.AssetsDefinition:
    """The asset for one program."""

    @dg.asset(
        **line.look(STAGE, {"parquet"}, "1"),
        deps=[line.same_day("traces")],
        description="Traces with a label, an outcome, a contributor, a content cluster and a split; drops are counted.",
    )
    def cleaned_traces(
        context: dg.AssetExecutionContext, store: StoreResource, tracking: MlflowResource
    ) -> dg.MaterializeResult:
        from telefine_assets.programs.spec import load_spec
        from telefine_assets.traces.cleaning import clean
        from telefine_assets.traces.records import cleaned_to_table, table_to_traces

        day = context.partition_key
        fields = load_spec(line.name, line.settings).fields
        with tracking.run(line.name, STAGE, day, context.run_id) as run:
            raw = table_to_traces(store.tables.read(line.name, "traces", day))
            kept, report = clean(raw, day, fields, line.settings.cleaning, line.settings.split)
            table = cleaned_to_table(kept)
            digest = store.tables.write(line.name, STAGE, day, table)
            store.records.write(line.name, STAGE, day, report.to_record())
            run.metrics({"traces_in": report.traces_in, "kept": report.kept})
        return dg.MaterializeResult(
            data_version=dg.DataVersion(digest),
            metadata={
                **metadata.parquet(table, store.tables.path(line.name, STAGE, day)),
                "traces_in": report.traces_in,
                "dropped": metadata.table_of(
                    ["reason", "count", "for example"],
                    [(why, n, ", ".join(report.samples[why])) for why, n in report.dropped.items()],
                ),
                "careless_contributors": metadata.table_of(
                    ["contributor", "labels checked", "wrong"],
                    [(who, report.audit[who].checked, report.audit[who].wrong) for who in report.careless],
                ),
                "splits": metadata.counts(Counter(trace.split for trace in kept), "split"),
                "label_sources": metadata.counts(Counter(trace.label_source for trace in kept), "label from"),
                "sha256": digest,
                "mlflow_run": metadata.link(run.url, run.run_id),
            },
        )

    return cleaned_traces
