"""Tags of the runs that ask for themselves: what they are for, and what they answer."""

from __future__ import annotations

PROGRAM = "telefine/program"
ASKED_BY = "telefine/asked_by"
"""Which schedule or sensor asked; only such runs are tried again by themselves."""
WATERMARK = "telefine/watermark"
ATTEMPT = "telefine/attempt"
RETRY_OF = "telefine/retry_of"
FAILURE = "telefine/failure"
"""``transient`` or ``permanent``, and the error; set on a failed run."""
PARTITION = "dagster/partition"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
PRIORITY = "dagster/priority"
FIRST = "1"
"""Priority of loading: what is compiled in the same queue comes after it."""
