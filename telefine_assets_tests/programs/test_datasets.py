"""Items: one for each content cluster, on one side only, chosen by nothing but themselves."""

import hashlib
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from telefine_assets.programs.datasets import dataset_digest, items_of
from telefine_assets.settings.schema import SplitSettings
from telefine_assets_tests.programs.examples import KEY, cleaned_tickets, cleaned_trace

SPLIT = SplitSettings(key="k", validation_percent=30, holdout_percent=30)
SIDES = ("train", "validation", "holdout")

rows = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5), st.booleans()), max_size=30).map(
    lambda drawn: [
        cleaned_trace(f"tr-{at}", {"ticket": f"Ticket {n}".upper() if up else f"ticket {n}"}, {"n": at}, when, SPLIT)
        for at, (n, when, up) in enumerate(drawn)
    ]
)


@given(rows, st.integers(0, 3))
@settings(deadline=None)
def test_every_cluster_stands_once_on_one_side(cleaned, seed):
    found = [item.cluster for side in SIDES for item in items_of(cleaned, side, 1000, seed, KEY)]
    assert sorted(found) == sorted({each.cluster for each in cleaned})


@given(rows)
@settings(deadline=None)
def test_the_first_trace_to_arrive_stands_for_its_cluster(cleaned):
    for side in SIDES:
        for item in items_of(cleaned, side, 1000, 0, KEY):
            first = min((each.arrival_ms, each.trace_id) for each in cleaned if each.cluster == item.cluster)
            assert item.trace_id == first[1]


@given(rows.flatmap(lambda some: st.tuples(st.just(some), st.permutations(some))), st.integers(1, 5))
@settings(deadline=None)
def test_the_order_of_rows_is_irrelevant(both, limit):
    one, other = (items_of(some, "train", limit, 0, KEY) for some in both)
    assert (one, dataset_digest(one)) == (other, dataset_digest(other))


@given(st.integers(1, 20), st.integers(20, 60))
@settings(deadline=None, max_examples=30)
def test_more_rows_only_push_items_out_by_better_ranked_ones(limit, count):
    cleaned = cleaned_tickets(60)
    before = [item.cluster for item in items_of(cleaned[:count], "train", limit, 0, KEY)]
    after = [item.cluster for item in items_of(cleaned, "train", limit, 0, KEY)]
    fresh = {each.cluster for each in cleaned[count:]}
    stayed = [cluster for cluster in after if cluster not in fresh]
    assert stayed == before[: len(stayed)]


def test_a_limit_takes_the_beginning_of_the_same_order():
    cleaned = cleaned_tickets(60)
    assert items_of(cleaned, "train", 5, 0, KEY) == items_of(cleaned, "train", 1000, 0, KEY)[:5]


def test_the_seed_chooses_other_items():
    cleaned = cleaned_tickets(100)
    assert items_of(cleaned, "train", 5, 0, KEY) != items_of(cleaned, "train", 5, 1, KEY)


def test_without_the_key_nobody_can_word_inputs_that_are_chosen():
    """Of very many texts those are handed in that come first by whatever is public; they are chosen as any others."""

    def on_side(start, count, side):
        numbers = range(start, start + count)
        rows = [cleaned_trace(f"tr-{n}", {"ticket": f"text {n}"}, {"team": "x"}, n, SPLIT) for n in numbers]
        return [replace(row, split=side) for row in rows]

    for side in SIDES:
        honest, many = on_side(0, 300, side), on_side(1_000, 3_000, side)
        for guess in (SecretStr(""), SecretStr("another key"), None):
            if guess is None:
                ground = sorted(many, key=lambda row: hashlib.sha256(f"0:{side}:{row.cluster}".encode()).digest())[:100]
            else:
                first = {item.cluster for item in items_of(many, side, 100, 0, guess)}
                ground = [row for row in many if row.cluster in first]
            mine = {row.cluster for row in ground}
            chosen = [item.cluster in mine for item in items_of([*honest, *ground], side, 100, 0, KEY)]
            # A fair share is 25 of the 100, with a standard deviation of less than 4.
            assert sum(chosen) < 41


def test_a_choice_needs_the_key_and_another_key_chooses_others():
    cleaned = cleaned_tickets(100)
    assert items_of(cleaned, "train", 5, 0, KEY) != items_of(cleaned, "train", 5, 0, SecretStr("another"))


def test_what_is_left_out_leaves_the_others_in_their_order():
    cleaned = cleaned_tickets(60)
    every = items_of(cleaned, "holdout", 1000, 0, KEY)
    gone = {item.cluster for item in every[::2]}
    assert items_of(cleaned, "holdout", 1000, 0, KEY, without=gone) == every[1::2]


def test_for_a_metric_that_needs_no_label_items_have_none_and_the_metric_is_their_source():
    cleaned = cleaned_tickets(60)
    accepted = [replace(trace, label_source="output:score") for trace in cleaned]
    free = items_of(accepted, "holdout", 1000, 0, KEY, judge="kindness")
    assert [item.cluster for item in free] == [item.cluster for item in items_of(cleaned, "holdout", 1000, 0, KEY)]
    assert {(str(item.label), item.label_source) for item in free} == {("{}", "metric:kindness")}
    assert [dict(item.example().inputs()) for item in free] == [item.inputs for item in free]
    # Whatever the program itself once said, it is no part of what is compared.
    other = [replace(trace, label='{"team": "another"}', label_source="expectation:HUMAN:ann") for trace in cleaned]
    assert dataset_digest(free) == dataset_digest(items_of(other, "holdout", 1000, 0, KEY, judge="kindness"))


def test_the_digest_of_a_dataset_changes_with_a_label_its_source_and_the_order():
    one = items_of(cleaned_tickets(30), "train", 1000, 0, KEY)
    others = [one[1:], one[::-1]]
    for change in ({"label": {"team": "other"}}, {"label_source": "output:x"}, {"group": "another"}):
        others.append([type(one[0])(**{**vars(one[0]), **change}), *one[1:]])
    assert len({dataset_digest(each) for each in [one, *others]}) == len(others) + 1


def test_the_digest_of_a_dataset_does_not_hang_on_who_gave_a_trace_or_on_a_tag_that_came_later():
    one = items_of(cleaned_tickets(30), "train", 1000, 0, KEY)
    other = [replace(each, contributor=None, trace_digest="another", quality_ppm=1) for each in one]
    assert dataset_digest(one) == dataset_digest(other)


def test_an_example_carries_the_signatures_fields_and_nothing_else():
    (item, *_) = items_of(cleaned_tickets(30), "train", 1000, 0, KEY)
    example = item.example()
    assert set(example.keys()) == {"ticket", "team"}
    assert dict(example.inputs()) == item.inputs
    assert dict(example.labels()) == item.label
