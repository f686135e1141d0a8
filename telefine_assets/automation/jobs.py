"""Jobs: named selections of assets that schedules and people start."""

import warnings
from typing import Any

import dagster as dg

from telefine_assets.assets.line import Line

# The first two stages can do a range of days in one run, the others do one day in each; a job does one day anyway.
warnings.filterwarnings("ignore", message=r"Asset job .* materializes assets with varying BackfillPolicies")


def jobs_for(line: Line) -> list[Any]:
    """One job for the program's whole line, one run for each day."""
    return [
        dg.define_asset_job(
            f"{line.name}_line",
            selection=dg.AssetSelection.groups(line.name),
            partitions_def=line.partitions,
            description="Every stage of the program, from traces to payouts, for one day.",
        )
    ]
