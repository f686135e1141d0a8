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
        from telefine_assets.ledger.closing import standing_or
        from telefine_assets.ledger.looks import Looks
        from telefine_assets.programs.champions import serving
        from telefine_assets.programs.compiling import compile_record, validation_scores
        from telefine_assets.programs.spec import load_spec
        from telefine_assets.traces.records import table_to_cleaned

        day, settings = context.partition_key, line.settings.compile
        spec = load_spec(line.name, line.settings)
        cleaned = table_to_cleaned(store.tables.read_window(line.name, "cleaned_traces", line.window(day)))
        opened = lm.open(ledger.open(), settings.max_lm_calls)
        with tracking.run(line.name, STAGE, day, context.run_id) as run, opened as model:
            evidence = store.evidence
            record = standing_or(
                Looks(ledger.open()).closed(line.name, day),
                store.records.find(line.name, STAGE, day),
                lambda: compile_record(
                    spec,
                    cleaned,
                    serving(spec, Champions(ledger.open()).before(line.name, day), evidence.get, model.identity),
                    settings,
                    model,
                    evidence.put,
                    context.log.info,
                ),
            )
            digest = store.records.write(line.name, STAGE, day, record)
            run.facts({name: record[name] for name in ("outcome", "baseline", "candidate")})
            run.metrics({**validation_scores(record), "lm_calls": model.asked, "lm_calls_remembered": model.remembered})
            registered = [
                run.register_program(line.name, version, evidence.get(version), record["reason"])
                for version in [record["candidate"]]
                if version
            ]
        return dg.MaterializeResult(
            data_version=dg.DataVersion(digest),
            metadata={
                "outcome": record["outcome"],
                "why": record["reason"],
                "candidate": record["candidate"] or "none",
                "baseline": record["baseline"],
                "items": metadata.counts({side: record[side]["n"] for side in ("trainset", "validation")}, "items"),
                "tournament": metadata.table_of(
                    ["contender", "validation score (ppm)", "items", "demos", "failed with"],
                    [(s["name"], s["mean_ppm"], s["n"], s["demos"], s["error"]) for s in record["standings"]],
                ),
                "demos": metadata.table_of(
                    ["demo", "trace", "contributor", "the program's own output"],
                    [(d["position"], d["trace_id"], d["contributor"], d["augmented"]) for d in record["demos"]],
                ),
                "lm_calls": model.asked,
                "lm_calls_remembered": model.remembered,
                "registered_versions": ", ".join(registered) or "none",
                "mlflow_run": metadata.link(run.url, run.run_id),
            },
        )

    return compiled_programs
