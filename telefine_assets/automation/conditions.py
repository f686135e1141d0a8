"""What comes after a compile by itself: DeltaOne, weights, attestation, champion, payout."""

import dagster as dg

ASKED_FOR = ("traces", "cleaned_traces", "compiled_programs")
"""Stages that a schedule, a sensor or a person asks for; the others come after them."""


def after_upstream(cleaned: dg.AssetKey) -> dg.AutomationCondition:
    """A day is made when the same day of a stage before it was made, and no blocking check speaks against it.

    The cleaned traces of the window do not count as such: feedback that comes late makes nothing anew until something
    is compiled. A check that failed takes the request back, so that a later day's
    success does not bring it about; what is compiled again asks again.
    """
    window = dg.AssetSelection.assets(cleaned)
    failed = dg.AutomationCondition.any_checks_match(dg.AutomationCondition.check_failed(), blocking_only=True)
    handled = (
        dg.AutomationCondition.newly_requested()
        | dg.AutomationCondition.newly_updated()
        | dg.AutomationCondition.initial_evaluation()
        | dg.AutomationCondition.any_deps_match(failed).ignore(window)
    )
    return (
        dg.AutomationCondition.any_deps_updated().ignore(window).since(handled)
        & ~dg.AutomationCondition.any_deps_missing().ignore(window)
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
        & dg.AutomationCondition.all_deps_blocking_checks_passed()
    ).with_label("after_upstream")
