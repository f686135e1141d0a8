"""``cleaned_traces``: the traces that may be learnt from, and what became of the others."""

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import dagster as dg

from telefine_assets.assets import metadata
from telefine_assets.assets.line import Line
from telefine_assets.assets.observed import observed
from telefine_assets.assets.ranges import Made, each_day
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.storage import LedgerResource, StoreResource

if TYPE_CHECKING:
    from telefine_assets.attribution.receiving import Received

STAGE = "cleaned_traces"


def build(line: Line) -> dg.AssetsDefinition:
    """The asset for one program.

    Its days share one index of inputs. Two runs that clean at the same time would
    not see what the other places, so they take turns.
    """

    @dg.asset(
        **line.look(STAGE, {"parquet"}, "4"),
        deps=[line.same_day("traces")],
        backfill_policy=dg.BackfillPolicy.single_run(),
        description="Traces with a label, an outcome, a contributor, a content cluster and a split; drops are counted.",
    )
    @observed(line, STAGE)
    def cleaned_traces(
        context: dg.AssetExecutionContext, store: StoreResource, ledger: LedgerResource, tracking: MlflowResource
    ) -> dg.MaterializeResult:
        from telefine_assets.attribution.receiving import receive_tagged
        from telefine_assets.attribution.submissions import Scope
        from telefine_assets.ledger.submissions import Submissions
        from telefine_assets.ledger.turns import turn
        from telefine_assets.programs.spec import load_spec
        from telefine_assets.traces.days import clean_stored_day
        from telefine_assets.traces.records import cleaned_schema

        fields = load_spec(line.name, line.settings).fields
        scope = Scope(line.deployment, line.name)

        def make(day: str) -> Made:
            with tracking.run(line.name, STAGE, day, context.run_id) as run:
                cleaned, digest = clean_stored_day(store.tables, store.records, line.name, day, fields, line.settings)
                run.metrics({"traces_in": cleaned.report.traces_in, "kept": cleaned.report.kept})
            for said in cleaned.report.absent:
                context.log.warning(f"{said} (programs.{line.name}.cleaning)")
            received = receive_tagged(
                cleaned.table, scope, lambda: Submissions(ledger.open()), time.time_ns() // 1_000_000
            )
            return Made(
                digest,
                {
                    **metadata.parquet(cleaned.report.kept, cleaned_schema(), store.tables.path(line.name, STAGE, day)),
                    **_told(cleaned.report),
                    **_signed(received),
                    "label_sources": metadata.counts(Counter(cleaned.table["label_source"].to_pylist()), "label from"),
                    "sha256": digest,
                    "mlflow_run": metadata.link(run.url, run.run_id),
                },
            )

        with turn(ledger.open(), f"cleaning {line.name}", 1, context.log.info):
            return each_day(context, make)

    return cleaned_traces


def _told(report: Any) -> dict[str, Any]:
    """The drop report (``traces.cleaning.report.DropReport``) for people."""
    return {
        "traces_in": report.traces_in,
        "dropped": metadata.table_of(
            ["rule", "count", "for example"],
            [(rule, count, ", ".join(report.samples[rule])) for rule, count in report.dropped.items()],
        ),
        "careless_contributors": metadata.table_of(
            ["contributor", "labels checked today", "wrong"],
            [
                (who, report.audit[who].checked, report.audit[who].wrong) if who in report.audit else (who, 0, 0)
                for who in report.careless
            ],
        ),
        "values_ignored": metadata.table_of(
            ["feedback", "because", "count"],
            [(name, why, n) for name, found in report.values_ignored.items() for why, n in found.items()],
        ),
        "names_absent": metadata.table_of(["named in the settings"], [[said] for said in report.absent]),
        "flagged": metadata.counts(report.flagged, "odd, but kept"),
        "splits": metadata.counts(report.splits, "split"),
    }


def _signed(received: "Received") -> dict[str, Any]:
    """What became of the traces' signed submissions, for people."""
    return {
        "submissions_logged": received.logged,
        "submissions_refused": metadata.counts(received.refused, "signed submissions, refused"),
    }
