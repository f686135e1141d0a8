"""One run over several days: each day is recorded as soon as it is there, so that a failure loses none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from telefine_assets.canonical import digest_of


@dataclass(frozen=True)
class Made:
    """A day's partition that was written."""

    digest: str
    metadata: Mapping[str, Any]


def each_day(context: dg.AssetExecutionContext, make: Callable[[str], Made]) -> dg.MaterializeResult:
    """Make the days of the run in their order.

    Dagster records the days of a range only when the whole range has ended, with
    one data version for all. So each day of a range is logged as it commits,
    with its own version, and once more, with the same metadata, at the end.
    """
    days = context.partition_keys
    if len(days) == 1:
        made = make(days[0])
        return dg.MaterializeResult(metadata=made.metadata, data_version=dg.DataVersion(made.digest))
    digests = {}
    for number, day in enumerate(days, 1):
        made = make(day)
        digests[day] = made.digest
        tags = {"dagster/data_version": made.digest}
        context.log_event(dg.AssetMaterialization(context.asset_key, partition=day, metadata=made.metadata, tags=tags))
        context.add_asset_metadata(made.metadata, partition_key=day)
        context.log.info(f"{day} is done: {number} of {len(days)} days")
    return dg.MaterializeResult(data_version=dg.DataVersion(digest_of(digests)))
