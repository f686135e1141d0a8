"""``deltaone_reports``: whether the candidate is better, and how surely."""

import dagster as dg

from telefine_assets.assets import metadata
from telefine_assets.assets.line import Line
from telefine_assets.assets.observed import observed
from telefine_assets.assets.progress import teller
from telefine_assets.assets.windows import cleaned_window
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.models import LmResource
from telefine_assets.resources.signing import SignerResource
from telefine_assets.resources.storage import LedgerResource, StoreResource

STAGE = "deltaone_reports"


def build(line: Line) -> dg.AssetsDefinition:
    """The asset for one program."""

    @dg.asset(
        **line.look(STAGE, {"dspy", "scipy"}, "3"),
        deps=[line.same_day("compiled_programs"), line.window_of("cleaned_traces")],
        description="Baseline and candidate answer the same held-out items; an exact test decides. "
        "While the holdout lives, only pass or fail is shown.",
    )
    @observed(line, STAGE)
    def deltaone_reports(
        context: dg.AssetExecutionContext,
        store: StoreResource,
        ledger: LedgerResource,
        lm: LmResource,
        signer: SignerResource,
        tracking: MlflowResource,
    ) -> dg.MaterializeResult:
        from functools import partial

        from telefine_assets.attestation.standing import LogNow, standing_of_day
        from telefine_assets.attestation.standing_shown import amended, told_of
        from telefine_assets.deltaone.bench import Bench
        from telefine_assets.deltaone.day import report_day
        from telefine_assets.ledger.looks import Looks
        from telefine_assets.ledger.records import Work

        signer.signer().prepare()  # Else a look would be spent on what nobody can sign.
        day = context.partition_key
        compiled = store.records.read(line.name, "compiled_programs", day)
        window = cleaned_window(line, store, ledger, day)
        work = Work(line.name, STAGE, day, context.run_id)
        opened = lm.program(work, line.settings, ledger.open(), teller(context))
        with tracking.run(line.name, STAGE, day, context.run_id) as run, opened as (spec, models):
            evidence = store.evidence
            bench = Bench(
                spec,
                line.settings.deltaone,
                Looks(ledger.open()),
                evidence.put,
                evidence.get,
                models.lm,
                context.log.info,
                line.settings.split.key,
            )
            now = LogNow.of(signer.trust(ledger.open()), ledger.open())
            standing = standing_of_day(store.records, line.name, day, now, evidence.get)
            report = report_day(bench, day, compiled, window.traces, partial(amended, standing=standing))
            digest = store.records.write(line.name, STAGE, day, report.record)
            run.facts({"code": report.record["code"], "look": report.record["public"].get("k")})
            run.metrics(report.metrics)
            run.file("report.md", report.markdown.encode())
            if report.html:
                run.file("report.html", report.html)
        pictures = {"figure": metadata.picture(report.figure, "DeltaOne")} if report.figure else {}
        return dg.MaterializeResult(
            data_version=dg.DataVersion(digest),
            metadata={
                "deltaone": "reached" if report.record["reached"] else "not reached",
                "why": report.record["sentence"],
                "standing": dg.MetadataValue.json(told_of(standing)),
                "report": dg.MetadataValue.md(report.markdown),
                **pictures,
                "result": dg.MetadataValue.json(report.record["public"]),
                "older_rows_left_out": window.older,
                "mlflow_run": metadata.link(run.url, run.run_id),
            },
        )

    return deltaone_reports
