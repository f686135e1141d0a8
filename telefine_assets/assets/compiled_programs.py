"""``compiled_programs``: the candidate, with every demo traced to who contributed it."""

import dagster as dg

from telefine_assets.assets import metadata
from telefine_assets.assets.line import Line
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.models import LmResource
from telefine_assets.resources.storage import LedgerResource, StoreResource

STAGE = "compiled_programs"


def build(line: Line) -> dg.AssetsDefinition:
    """The asset for one program."""

    @dg.asset(
        **line.look(STAGE, {"dspy", "mlflow"}, "1"),
        deps=[line.window_of("cleaned_traces")],
        description="The winner of a tournament of DSPy optimisers on the window's train and validation items.",
    )
    def compiled_programs(
        context: dg.AssetExecutionContext,
        store: StoreResource,
        ledger: LedgerResource,
        lm: LmResource,
        tracking: MlflowResource,
    ) -> dg.MaterializeResult:
        from telefine_assets.ledger.champions import Champions
        from telefine_assets.programs.champions import serving
        from telefine_assets.programs.compiling import compile_day
        from telefine_assets.programs.spec import load_spec
        from telefine_assets.traces.records import table_to_cleaned

        day = context.partition_key
        spec = load_spec(line.name, line.settings)
        cleaned = table_to_cleaned(store.tables.read_window(line.name, "cleaned_traces", line.window(day)))
        champion = Champions(ledger.open()).before(line.name, day)
        budget = line.settings.compile.max_lm_calls
        with tracking.run(line.name, STAGE, day, context.run_id) as run, lm.open(ledger.open(), budget) as model:
            baseline = serving(spec, champion, store.evidence.get, model.identity)
            compiled = compile_day(spec, cleaned, baseline, line.settings.compile, model, context.log.info)
            record = compiled.to_record(model.identity)
            for version in compiled.versions:
                store.evidence.put(version.document)
            record["evidence"] = {
                "demos.json": store.evidence.put(compiled.demos_document()),
                "trainset.jsonl": store.evidence.put(compiled.trainset_document()),
            }
            digest = store.records.write(line.name, STAGE, day, record)
            run.facts({"outcome": compiled.outcome, "baseline": baseline.digest, "candidate": record["candidate"]})
            run.metrics(compiled.metrics() | {"lm_calls": model.asked, "lm_calls_remembered": model.remembered})
            registered = [
                run.register_program(line.name, version.digest, version.document, compiled.reason)
                for version in compiled.versions[1:]
            ]
        return dg.MaterializeResult(
            data_version=dg.DataVersion(digest),
            metadata={
                "outcome": compiled.outcome,
                "why": compiled.reason,
                "candidate": record["candidate"] or "none",
                "baseline": baseline.digest,
                "items": metadata.counts(
                    {"train": len(compiled.trainset), "validation": len(compiled.validation)}, "items"
                ),
                "tournament": metadata.table_of(
                    ["contender", "validation score", "demos", "failed with"],
                    [(s.name, s.percent, s.demos, s.error) for s in compiled.standings],
                ),
                "demos": metadata.table_of(
                    ["demo", "trace", "contributor", "the program's own output"],
                    [(d.position, d.trace_id, d.contributor, d.augmented) for d in compiled.demos],
                ),
                "lm_calls": model.asked,
                "lm_calls_remembered": model.remembered,
                "registered_versions": ", ".join(registered) or "none",
                "mlflow_run": metadata.link(run.url, run.run_id),
            },
        )

    return compiled_programs
