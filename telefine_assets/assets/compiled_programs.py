"""``compiled_programs``: the candidate, with every demo traced to who contributed it."""

from typing import Any

import dagster as dg

from telefine_assets.assets import metadata
from telefine_assets.assets.line import Line
from telefine_assets.assets.metadata import USABLE
from telefine_assets.assets.observed import observed
from telefine_assets.assets.progress import teller, watcher
from telefine_assets.assets.windows import cleaned_window
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.models import LmResource
from telefine_assets.resources.storage import LedgerResource, StoreResource

STAGE = "compiled_programs"
_STANDING = ("name", "mean_ppm", "n", "demos", "claimed_ppm", "dropped", "error")


def build(line: Line) -> dg.AssetsDefinition:
    """The asset for one program."""

    @dg.asset(
        **line.look(STAGE, {"dspy", "mlflow"}, "3"),
        deps=[line.window_of("cleaned_traces"), *line.taught_by()],
        description="The winner of a tournament of DSPy optimisers on the window's train and validation items.",
    )
    @observed(line, STAGE)
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
        from telefine_assets.ledger.records import Work
        from telefine_assets.programs.champions import serving
        from telefine_assets.programs.compiling import (
            compile_day,
            compile_record,
            earlier_of,
            validation_scores,
        )
        from telefine_assets.programs.versions import Version

        day, settings, records, evidence = context.partition_key, line.settings.compile, store.records, store.evidence
        key = line.settings.split.key
        window = cleaned_window(line, store, ledger, day)
        reports = {each: records.find(line.name, "cleaned_traces", each) for each in line.window(day)}
        usable = {each: report["kept"] for each, report in reports.items() if report}
        work = Work(line.name, STAGE, day, context.run_id)
        opened = lm.program(work, line.settings, ledger.open(), teller(context), settings.budget)
        with tracking.run(line.name, STAGE, day, context.run_id) as run, opened as (spec, models):

            def compiled() -> dict[str, Any]:
                champions = Champions(ledger.open())
                champion = champions.before(line.name, day)
                served = {each.version for each in champions.history(line.name) if each.day < day}
                baseline = serving(spec, champion, evidence.get, models.lm.identity)
                days = sorted((each for each in records.days(line.name, STAGE) if each < day), reverse=True)
                before = [records.read(line.name, STAGE, each) for each in days]
                earlier = earlier_of(before, baseline, evidence.get, served)
                teacher = _teacher(line, spec, day, store, champions, models.lm.identity)
                watch = watcher(context, run)
                found = compile_day(
                    spec, window.traces, baseline, settings, key, models, earlier, context.log.info, watch, teacher,
                    line.settings.cleaning.near_duplicates,
                )  # fmt: skip
                return compile_record(found, models.lm.identity, evidence.put)

            closed = Looks(ledger.open()).closed(line.name, day)
            record = standing_or(closed, records.find(line.name, STAGE, day), compiled)
            digest = records.write(line.name, STAGE, day, record)
            run.facts({name: record[name] for name in ("outcome", "baseline", "candidate")})
            spent = models.lm.budget.spent
            run.metrics({**validation_scores(record), "lm_calls": spent.calls, "lm_calls_remembered": spent.remembered})
            registered = [
                run.register_program(spec, Version(evidence.get(version)), record)
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
                "teacher": _taught_by(record),
                "older_rows_left_out": window.older,
                "items": metadata.counts({side: record[side]["n"] for side in ("trainset", "validation")}, "items"),
                "tournament": metadata.table_of(
                    ["contender", "score (ppm)", "items", "demos", "claimed (ppm)", "dropped", "failed with"],
                    [[each[column] for column in _STANDING] for each in record["standings"]],
                ),
                "demos": metadata.table_of(
                    ["demo", "trace", "contributor", "the program's own output"],
                    [(d["position"], d["trace_id"], d["contributor"], d["augmented"]) for d in record["demos"]],
                ),
                USABLE: dg.MetadataValue.json(usable),
                "lm_calls": spent.calls,
                "lm_calls_remembered": spent.remembered,
                "spent": metadata.table_of(
                    ["on", "calls", "remembered", "tokens", "cost (micro-dollars)"],
                    [
                        (label, each.calls, each.remembered, each.tokens, each.cost_micros)
                        for label, each in models.spent_by().items()
                    ],
                ),
                "registered_versions": ", ".join(registered) or "none",
                "mlflow_run": metadata.link(run.url, run.run_id),
            },
        )

    return compiled_programs


def _teacher(line: Line, spec: Any, day: str, store: StoreResource, champions: Any, lm: dict[str, str]) -> Any:
    """What of the program that ``compile.teacher_program`` names served during a day."""
    from telefine_assets.programs.spec import load_spec
    from telefine_assets.programs.teaching import teacher_for

    if line.teacher is None:
        return None
    program = load_spec(str(line.settings.compile.teacher_program), line.teacher)
    return teacher_for(spec, program, day, store.records, champions, store.evidence.get, lm)


def _taught_by(record: dict[str, Any]) -> str:
    teacher = record["teacher"]
    return f"{teacher['program']} {teacher['version'][:12]}" if teacher else "none"
