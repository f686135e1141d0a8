"""Counts of traces are those of the traces that would be read, whatever is asked and however the store is reached."""

from collections import Counter
from dataclasses import replace

import pytest

from telefine_assets.partitions import day_of
from telefine_assets.traces.sources.api import ApiSource
from telefine_assets.traces.sources.protocol import Filters, OutcomeRange, TraceSourceError
from telefine_assets_tests.traces.sources.reading import QUERY, direct_source, prints_of
from telefine_assets_tests.traces.sources.rich_store import START

ASKED = {
    "everything": QUERY,
    "some hours": replace(QUERY, start_ms=START + 1, end_ms=START + 40_000_000),
    "runs too": replace(QUERY, from_runs="keep"),
    "statuses": replace(QUERY, filters=Filters(statuses=("OK", "ERROR"))),
    "tags": replace(QUERY, filters=Filters(tags={"team": "a?b'c", "nobody": "has"})),
    "versions": replace(QUERY, filters=Filters(versions=("v1",)), version_key="version"),
    "outcome": replace(QUERY, filters=Filters(outcome=OutcomeRange("resolved", 0.5))),
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("way", [direct_source, ApiSource])
def test_counts_are_those_of_what_is_read(rich, asked, way):
    found = way(rich.uri).counts(ASKED[asked])
    assert found == Counter(
        day_of(each["request_time_ms"]) for each in prints_of(direct_source(rich.uri), ASKED[asked])
    )
    assert list(found) == sorted(found)


def test_days_and_exclusions_matter_in_this_store(rich):
    """The rich store holds what the conditions are about."""
    source = direct_source(rich.uri)
    assert sum(source.counts(QUERY).values()) < sum(source.counts(ASKED["runs too"]).values())
    assert sum(source.counts(ASKED["some hours"]).values()) < sum(source.counts(QUERY).values())


def test_a_tag_filter_is_applied_by_value(store):
    import sqlite3

    with sqlite3.connect(store.file) as mlflow:
        mlflow.execute(
            "INSERT INTO trace_tags (key, value, request_id) SELECT 'team', 'a', request_id FROM trace_info LIMIT 7"
        )
    counts = {
        value: direct_source(store.uri).counts(replace(QUERY, filters=Filters(tags={"team": value}))) for value in "ab"
    }
    assert (sum(counts["a"].values()), counts["b"]) == (7, {})


def test_an_experiment_that_is_not_there_is_named(store):
    with pytest.raises(TraceSourceError, match="nowhere"):
        direct_source(store.uri).counts(replace(QUERY, experiment="nowhere"))
