"""Balance: no category outweighs the others in the trainset, and nothing else is touched."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.settings.traces import BalanceSettings
from telefine_assets.traces.cleaning.balance import balanced
from telefine_assets.traces.records import table_to_cleaned
from telefine_assets_tests.traces.examples import (
    SETTINGS,
    clean,
    cleaned,
    expectation,
    feedback,
    settings_with,
    trace,
)

RIGHT = expectation("billing")


def with_(by="label:team", **changes):
    return settings_with(balance=BalanceSettings(by=by, **changes))


def day(count, *more, team="billing"):
    return [trace(number, expectation(team), **dict(more)) for number in range(count)]


def test_a_category_keeps_at_most_as_many_inputs_as_it_may_in_the_trainset_alone():
    rows = [*day(60), *(trace(number, expectation("login")) for number in range(60, 70))]
    before, after = (cleaned(*rows, settings=how)[0] for how in (SETTINGS, with_(max_per_day=5)))
    count = Counter((each.split, each.label) for each in after)
    assert count["train", '{"team":"billing"}'] == 5
    assert [each for each in after if each.split != "train"] == [each for each in before if each.split != "train"]
    assert {each.trace_id for each in after} <= {each.trace_id for each in before}


def test_what_is_over_the_cap_is_dropped_by_name_and_counted():
    report = cleaned(*day(60), settings=with_(max_per_day=5, caps={"login": 3}))[1]
    categories = report.to_record()["balance"]["categories"]
    assert set(report.dropped) == {"over_cap"}
    assert categories == {
        "billing": {"clusters": 5 + report.dropped["over_cap"], "kept": 5, "cap": 5, "weight_ppm": 1_000_000}
    }


def test_a_cap_of_its_own_goes_before_the_common_one_and_without_either_all_stay():
    def in_train(how):
        return sum(each.split == "train" for each in cleaned(*day(60), settings=how)[0])

    everything = in_train(SETTINGS)
    assert in_train(with_(max_per_day=5, caps={"billing": 7})) == 7
    assert in_train(with_(caps={"billing": 0})) == 0
    assert in_train(with_(caps={"login": 1})) == everything > 7


def test_which_inputs_stay_depends_neither_on_the_other_rows_nor_on_the_hour():
    rows = day(60)
    kept = {each.trace_id for each in cleaned(*rows, settings=with_(max_per_day=5))[0] if each.split == "train"}
    later = [trace(number, RIGHT, at=9_000 - number) for number in range(60)]
    assert {
        each.trace_id for each in cleaned(*later, settings=with_(max_per_day=5))[0] if each.split == "train"
    } == kept
    fewer = [each for each in rows if each.trace_id in kept or int(each.trace_id[3:]) % 2]
    assert {
        each.trace_id for each in cleaned(*fewer, settings=with_(max_per_day=5))[0] if each.split == "train"
    } == kept


def test_copies_of_an_input_that_stays_stay_and_count_once():
    rows = [
        trace(10 * number + copy, RIGHT, inputs={"ticket": f"t {number}"}) for number in range(30) for copy in range(3)
    ]
    kept = [each for each in cleaned(*rows, settings=with_(max_per_day=4))[0] if each.split == "train"]
    assert (len(kept), len({each.cluster for each in kept})) == (12, 4)


@pytest.mark.parametrize(
    ("by", "changes", "category"),
    [
        ("label:team", {}, "billing"),
        ("field:ticket", {"inputs": {"ticket": "hi"}}, "hi"),
        ("tag:channel", {"tags": {"channel": "mail"}}, "mail"),
        ("tag:channel", {"tags": {"channel": ["mail", 1]}}, '["mail",1]'),
        ("tag:channel", {"tags": {"channel": ""}}, "(none)"),
        ("tag:channel", {}, "(none)"),
        ("version", {"version": "v7"}, "v7"),
        ("version", {}, "(none)"),
    ],
)
def test_a_category_is_a_label_a_field_a_tag_or_the_version(by, changes, category):
    rows = [trace(number, RIGHT, **{"inputs": {"ticket": f"t {number}"}, **changes}) for number in range(20)]
    report = clean(*rows, settings=with_(by)).report
    assert set(report.balance["categories"]) <= {category}
    if by != "field:ticket":
        assert report.balance["categories"]


def test_weights_multiply_the_quality_of_the_trainset_alone():
    rows = [trace(number, RIGHT if number % 2 else feedback(0.9)) for number in range(40)]
    kept = table_to_cleaned(clean(*rows, settings=with_(weights={"billing": 0.25})).table)
    assert {(each.split == "train", each.label_source[:6], each.quality_ppm) for each in kept} == {
        (True, "expect", 250_000),
        (True, "output", 225_000),
        (False, "expect", 1_000_000),
        (False, "output", 900_000),
    }


numbers = st.integers(0, 9)


@given(st.lists(st.tuples(numbers, st.sampled_from("abc")), max_size=40), st.integers(1, 4), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_caps_hold_and_clusters_stay_whole(members, most, cap_of_a):
    rows = list(range(len(members)))
    clusters = {row: f"cluster {cluster}" for row, (cluster, _) in enumerate(members)}
    categories = {row: category for row, (_, category) in enumerate(members)}
    how = BalanceSettings(by="version", max_per_day=most, caps={"a": cap_of_a})
    over = set(balanced(rows, categories, clusters, how, "key").over)
    first = {}
    for row in rows:
        first.setdefault(clusters[row], categories[row])
    kept = {clusters[row] for row in rows if row not in over}
    assert kept.isdisjoint(clusters[row] for row in over)
    given_, stayed = Counter(first.values()), Counter(first[cluster] for cluster in kept)
    for category, count in given_.items():
        assert stayed[category] == min(count, cap_of_a if category == "a" else most)
