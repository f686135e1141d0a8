"""``improvement_reports``: what became of the program in the days that end with this one, against as many before."""

import dagster as dg

from telefine_assets.assets.line import Line
from telefine_assets.assets.observed import observed
from telefine_assets.improvement.stages import READS
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.signing import SignerResource
from telefine_assets.resources.storage import LedgerResource, StoreResource

STAGE = "improvement_reports"


def build(line: Line) -> dg.AssetsDefinition:
    """The asset for one program. It stands beside the line, in a group of its own: it is asked for by itself."""
    days = line.settings.improvement.days

    @dg.asset(
        **{**line.look(STAGE, {"report"}, "1"), "group_name": f"{line.name}_report"},
        deps=[line.days_of(stage, 2 * days) for stage in READS],
        description=f"The report of the {days} days that end with this one: what was tried, what it cost, what was "
        "certified, what moved, who contributed. A day that was never made is missing in it, and no zero.",
    )
    @observed(line, STAGE)
    def improvement_reports(
        context: dg.AssetExecutionContext,
        store: StoreResource,
        ledger: LedgerResource,
        signer: SignerResource,
        tracking: MlflowResource,
    ) -> dg.MaterializeResult:
        from telefine_assets.attestation.standing import DayStanding, LogNow, standing_of_day
        from telefine_assets.improvement.gathering import gather
        from telefine_assets.improvement.opening import sources_of
        from telefine_assets.improvement.report import report_of

        day, settings = context.partition_key, line.settings
        with tracking.run(line.name, STAGE, day, context.run_id) as run:
            books, evidence = ledger.open(), store.evidence
            now = LogNow.of(signer.trust(books), books)

            def standing(of: str) -> DayStanding:
                return standing_of_day(store.records, line.name, of, now, evidence.get)

            sources = sources_of(line.name, store.records, store.tables, books, standing)
            found = gather(line.name, settings.description, settings.metric.label, day, days, line.first_day, sources)
            report = report_of(found)
            record = report.to_record(store.evidence.put)
            digest = store.records.write(line.name, STAGE, day, record)
            run.facts({"verdict": record["verdict"], "moved": ", ".join(record["moved"])})
            for name, content in report.files.items():
                run.file(name, content)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(digest),
            metadata={
                "subject": record["subject"],
                "summary": record["summary"],
                "report": dg.MetadataValue.md(report.files["report.md"].decode()),
                "numbers": dg.MetadataValue.json(record["this"]),
                "before": dg.MetadataValue.json(record["before"]),
                "html": dg.MetadataValue.path(f"{store.uri}/{store.evidence.name(record['evidence']['report.html'])}"),
                "read": dg.MetadataValue.md(
                    f"`telefine improvement show {day} --program {line.name} --html report.html`"
                ),
            },
        )

    return improvement_reports
