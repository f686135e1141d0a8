"""Dagster's face: one thin module per stage, each with a ``build(line)``.

An asset fetches, calls one function of a domain package, stores what it gives
and returns metadata. What a stage decides is not decided here.
"""

import warnings

import dagster as dg

from telefine_assets.assets import (
    attestations,
    champions,
    cleaned_traces,
    compiled_programs,
    contributor_payouts,
    contributor_weights,
    deltaone_reports,
    improvement_reports,
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
"""The line, in the order of the data's way."""
BESIDE = (improvement_reports,)
"""What stands beside it: nothing follows from these, and a run of the line does not make them."""


def assets_for(line: Line) -> list[dg.AssetsDefinition]:
    """The assets of one program: its line, in the order of the data's way, and what stands beside it."""
    with warnings.catch_warnings():
        # Dagster calls backfill policies a beta; tests hold what we need of them.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return [stage.build(line) for stage in (*STAGES, *BESIDE)]
