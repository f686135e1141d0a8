"""Clusters and splits of a day: what cleaning hands over, and what it makes of the answer."""

from typing import NamedTuple

import pyarrow as pa
import pytest

from telefine_assets.settings.traces import NearDuplicateSettings
from telefine_assets.traces.clusters import cluster_of, split_of
from telefine_assets.traces.records import table_to_cleaned
from telefine_assets_tests.traces.examples import DAY, SPLIT, clean, expectation, feedback, settings_with, trace

RIGHT = expectation("billing")
NEAR = settings_with(near_duplicates=NearDuplicateSettings())


class Clustered(NamedTuple):
    rows: pa.Table
    index: pa.Table


@pytest.fixture
def asked(monkeypatch):
    """What cluster_day is asked, with an answer that puts all in one group and finds that ``tr-3`` straddles."""
    calls = []

    def cluster_day(arrivals, day, index, own, settings, side_of):
        calls.append({"arrivals": arrivals, "day": day, "index": list(index), "own": own, "settings": settings})
        ids = arrivals["trace_id"].to_pylist()[::-1]
        group = cluster_of({"ticket": "the group"})
        calls[-1]["side"] = side_of(group)
        columns = {"cluster": [f"{int(each[3:]):064x}" for each in ids], "group": [group] * len(ids)}
        rows = pa.table({"trace_id": ids, **columns, "straddles": [each == "tr-3" for each in ids]})
        return Clustered(rows, pa.table({"day": [day]}))

    monkeypatch.setattr("telefine_assets.traces.clustering.assigning.cluster_day", cluster_day)
    return calls


def test_only_traces_that_passed_all_other_rules_are_clustered(asked):
    rows = [trace(2, RIGHT, session="s"), trace(1, feedback(1)), trace(4), trace(5, RIGHT, status="ERROR")]
    clean(*rows, settings=NEAR, index=[pa.table({"a": [1]})], own_index=pa.table({"b": [2]}))
    (call,) = asked
    arrivals = call["arrivals"]
    assert arrivals.schema.names == ["trace_id", "arrival_ms", "content", "text", "session"]
    assert arrivals.schema.types == [pa.string(), pa.int64(), pa.string(), pa.string(), pa.string()]
    assert arrivals["trace_id"].to_pylist() == ["tr-1", "tr-2"]
    assert arrivals["content"].to_pylist() == [cluster_of({"ticket": f"ticket {number}"}) for number in (1, 2)]
    assert arrivals["session"].to_pylist() == [None, "s"]
    assert (call["day"], call["settings"]) == (DAY, NEAR.near_duplicates)
    assert (call["index"], call["own"]) == ([pa.table({"a": [1]})], pa.table({"b": [2]}))


def test_the_side_is_the_groups_and_the_content_stays_the_inputs_own(asked):
    day = clean(trace(1, RIGHT), trace(2, RIGHT), settings=NEAR)
    group = cluster_of({"ticket": "the group"})
    side = split_of(group, SPLIT.key.get_secret_value(), SPLIT.validation_percent, SPLIT.holdout_percent)
    for number, each in enumerate(table_to_cleaned(day.table), 1):
        assert (each.cluster, each.group, each.split) == (f"{number:064x}", group, side)
        assert each.content == cluster_of({"ticket": f"ticket {number}"})
    assert (asked[0]["side"], day.index) == (side, pa.table({"day": [DAY]}))


def test_what_stands_on_two_sides_is_dropped(asked):
    report = clean(*(trace(number, RIGHT) for number in range(1, 5)), settings=NEAR).report
    assert (dict(report.drops), report.kept) == ({"tr-3": "straddles_splits"}, 3)


TEXT = "my parcel was sent to the wrong address and the courier does not answer, what shall I do now please"


def test_near_copies_share_a_cluster_and_a_side_and_keep_their_own_content():
    rows = [
        trace(1, RIGHT, inputs={"ticket": TEXT}),
        trace(2, RIGHT, inputs={"ticket": TEXT.replace("now please", "now")}),
    ]
    one, two = table_to_cleaned(clean(*rows, settings=NEAR).table)
    assert (one.cluster, one.group, one.split) == (two.cluster, two.group, two.split)
    assert one.content != two.content


def test_a_session_stands_on_one_side():
    rows = [trace(number, RIGHT, session="s", inputs={"ticket": f"{number} " * 30}) for number in range(12)]
    kept = table_to_cleaned(clean(*rows, settings=NEAR).table)
    assert (len(kept), len({each.split for each in kept}), len({each.cluster for each in kept})) == (12, 1, 12)


def test_a_later_day_knows_the_inputs_of_an_earlier_one():
    first = clean(trace(1, RIGHT, inputs={"ticket": TEXT}), settings=NEAR)
    near = trace(2, RIGHT, inputs={"ticket": TEXT + " thank you"}, at=10**6)
    later = clean(near, settings=NEAR, index=[first.index])
    assert later.table["cluster"].to_pylist() == first.table["cluster"].to_pylist()
