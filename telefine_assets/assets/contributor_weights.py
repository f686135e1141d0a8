"""``contributor_weights``: who contributed how much to the candidate."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from telefine_assets.assets import metadata
from telefine_assets.assets.line import Line
from telefine_assets.assets.observed import observed
from telefine_assets.assets.progress import counter, teller
from telefine_assets.assets.windows import cleaned_window
from telefine_assets.resources.mlflow_runs import MlflowResource
from telefine_assets.resources.models import LmResource
from telefine_assets.resources.storage import LedgerResource, StoreResource

if TYPE_CHECKING:
    from telefine_assets.attribution.trials import Trials
    from telefine_assets.traces.records import CleanedTrace

STAGE = "contributor_weights"


def build(line: Line) -> dg.AssetsDefinition:
    """The asset for one program."""

    @dg.asset(
        **line.look(STAGE, {"ethereum"}, "3"),
        deps=[line.same_day("compiled_programs"), line.window_of("cleaned_traces")],
        description="Parts per million per wallet, for the demos that are in the candidate; "
        "what cannot be given to a wallet is in escrow.",
    )
    @observed(line, STAGE)
    def contributor_weights(
        context: dg.AssetExecutionContext,
        store: StoreResource,
        ledger: LedgerResource,
        lm: LmResource,
        tracking: MlflowResource,
    ) -> dg.MaterializeResult:
        from telefine_assets.attribution.arrivals import Register
        from telefine_assets.attribution.submissions import Scope
        from telefine_assets.attribution.weighing import weigh_day
        from telefine_assets.ledger.closing import standing_or
        from telefine_assets.ledger.looks import Looks
        from telefine_assets.ledger.submissions import Submissions

        day = context.partition_key
        compiled = store.records.read(line.name, "compiled_programs", day)
        window = cleaned_window(line, store, ledger, day)
        with tracking.run(line.name, STAGE, day, context.run_id) as run:

            def weighed() -> dict[str, Any]:
                trials = _trials(line, context, store, ledger, lm, compiled, window.traces)
                submitted = Submissions(ledger.open()).of_traces
                register = Register(Scope(line.deployment, line.name), submitted, line.settings.attribution.unsigned)
                return weigh_day(compiled, window.traces, store.evidence.put, register, trials)

            closed = Looks(ledger.open()).closed(line.name, day)
            record = standing_or(closed, store.records.find(line.name, STAGE, day), weighed)
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
                "worth": metadata.table_of(
                    ["content cluster", "worth a validation item (ppm)", "standard error (ppm)"],
                    [(each["cluster"], each["value_ppm"], each["error_ppm"]) for each in record["worth"] or []],
                ),
                "older_rows_left_out": window.older,
                "nothing_because": record["weights"]["reason"] or "",
                "mlflow_run": metadata.link(run.url, run.run_id),
            },
        )

    return contributor_weights


def _trials(
    line: Line,
    context: dg.AssetExecutionContext,
    store: StoreResource,
    ledger: LedgerResource,
    lm: LmResource,
    compiled: Mapping[str, Any],
    cleaned: "Sequence[CleanedTrace]",
) -> "Trials | None":
    """What the demos' coalitions score on the validation items, where the settings weigh by worth."""
    from telefine_assets.attribution.trials import hold
    from telefine_assets.ledger.records import Work
    from telefine_assets.programs.versions import Version
    from telefine_assets.programs.worth import DemoTrials, validation_of

    settings = line.settings.attribution
    if settings.method == "usage" or not compiled["demos"]:
        return None
    shapley = settings.shapley
    work = Work(line.name, STAGE, context.partition_key, context.run_id)
    with lm.program(work, line.settings, ledger.open(), teller(context)) as (spec, models):
        validation = validation_of(compiled, cleaned, spec, line.settings.compile, line.settings.split.key)
        items = validation[: shapley.max_items]
        version = Version(store.evidence.get(compiled["candidate"]))
        demos = DemoTrials(spec, version, compiled["demos"], items, models.lm)
        asked = [(item.cluster, item.group) for item in items]
        clusters = {demo["cluster"] for demo in compiled["demos"]}
        told = counter(context, "subsets of the demos")
        return hold(clusters, shapley.coalitions, shapley.seed, asked, demos.scores, told)
