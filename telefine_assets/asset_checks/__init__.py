"""What must hold of what was just made: one module per stage.

A blocking check stops only its own run. Whatever money or a proof depends on
is therefore verified again by the stages that need it.
"""

import dagster as dg

from telefine_assets.asset_checks import (
    attestations,
    champions,
    cleaned_traces,
    compiled_programs,
    contributor_payouts,
    contributor_weights,
    deltaone_reports,
    traces,
)
from telefine_assets.assets.line import Line

STAGES = (
    traces,
    cleaned_traces,
    compiled_programs,
    deltaone_reports,
    contributor_weights,
    attestations,
    champions,
    contributor_payouts,
)


def checks_for(line: Line) -> list[dg.AssetChecksDefinition]:
    """All checks of one program."""
    return [check for stage in STAGES for check in stage.build(line)]
