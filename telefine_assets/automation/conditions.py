"""What comes after a compile by itself: DeltaOne, weights, attestation, champion, payout."""

from typing import Any

import dagster as dg

ASKED_FOR = ("traces", "cleaned_traces", "compiled_programs", "improvement_reports")
"""Stages that a schedule, a sensor or a person asks for; the others come after them."""


class DayPassed(dg.AutomationCondition):
    """True of a stage's day when each blocking check passed in the run that made the day last.

    Dagster knows of a check only how it ended last, for whatever day: of two days that are made between two ticks,
    one that failed would hold up the other, or one that passed would let the other through.
    """

    @property
    def description(self) -> str:
        """As Dagster's UI shows it."""
        return "every blocking check passed in the run that made this day"

    def evaluate(self, context: dg.AutomationContext) -> dg.AutomationResult:
        """Look at the days that everything else speaks for."""
        days, graph = context.candidate_subset, context.asset_graph
        checks = (each for each in graph.get_check_keys_for_assets({context.key}) if graph.get(each).blocking)
        wanted, instance = {each.name for each in checks}, context.asset_graph_view.instance
        if wanted:
            known = days.expensively_compute_partition_keys()
            passed = {day for day in known if wanted <= passed_checks(instance, context.key, day)}
            days = days.compute_intersection_with_partition_keys(passed)
        return dg.AutomationResult(context, days)


def passed_checks(instance: dg.DagsterInstance, key: dg.AssetKey, day: str) -> set[str]:
    """Names of the checks of an asset that passed in the run that made a day of it last."""
    wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[day])
    made = instance.fetch_materializations(wanted, limit=1).records
    logs = instance.all_logs(made[0].run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION) if made else []
    found: list[Any] = [each.dagster_event.event_specific_data for each in logs if each.dagster_event]
    return {each.check_name for each in found if each.asset_key == key and each.passed}


def after_upstream(cleaned: dg.AssetKey) -> dg.AutomationCondition:
    """A day is made when the same day of a stage before it was made, and no blocking check speaks against it.

    The cleaned traces of the window do not count as such: feedback that comes late makes nothing anew until something
    is compiled. A day whose check failed waits until it is made again, whatever becomes of other days.
    """
    window = dg.AssetSelection.assets(cleaned)
    handled = (
        dg.AutomationCondition.newly_requested()
        | dg.AutomationCondition.newly_updated()
        | dg.AutomationCondition.initial_evaluation()
    )
    # What is asked for in the same tick comes in the same run, where its checks block by themselves.
    sound = DayPassed() | dg.AutomationCondition.will_be_requested()
    return (
        dg.AutomationCondition.any_deps_updated().ignore(window).since(handled)
        & ~dg.AutomationCondition.any_deps_missing().ignore(window)
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
        & dg.AutomationCondition.all_deps_blocking_checks_passed().allow(window)
        & ~dg.AutomationCondition.any_deps_match(~sound).ignore(window)
    ).with_label("after_upstream")
