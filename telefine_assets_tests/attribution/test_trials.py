"""What demos are worth by the items that they help with, how surely, and from stored scores alone."""

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.attribution.addresses import checksum_address
from telefine_assets.attribution.batches import LEAST_BATCHES
from telefine_assets.attribution.facts import read_facts, recompute_weights, values_of, write_facts
from telefine_assets.attribution.records import RecordError
from telefine_assets.attribution.shapley import coalitions
from telefine_assets.attribution.submissions import Scope
from telefine_assets.attribution.trials import T_PPM, Trials, hold, rules_of, valued
from telefine_assets.attribution.usage import Arrival, AttributionError, UsedDemo
from telefine_assets.attribution.weights import FULL_PPM
from telefine_assets.canonical import canonical_json

WALLETS = [checksum_address(bytes([17 * (i + 1)]) * 20) for i in range(8)]
NAMES = tuple(f"c{i}" for i in range(4))
RULES = rules_of(64, 0, len(NAMES))


def quiet(_done, _of):
    pass


def items(count, group_of=lambda at: f"g{at}"):
    return [(f"i{at}", group_of(at)) for at in range(count)]


def helped(count, seed=0, shares=(0.3, 0.2, 0.0, -0.2)):
    """Scores of coalitions over ``count`` items, each of which some demos help with and others spoil."""
    rng = random.Random(seed)
    drawn = [[rng.random() < abs(share) for share in shares] for _ in range(count)]

    def ask(coalition):
        return [score(row, coalition) for row in drawn]

    def score(row, coalition):
        at_work = [share for name, share, hit in zip(NAMES, shares, row, strict=True) if hit and name in coalition]
        return FULL_PPM * (any(each > 0 for each in at_work) and not any(each < 0 for each in at_work))

    return ask


def tried(count=200, seed=0, **changes):
    return hold(NAMES, 64, 0, items(count), helped(count, seed, **changes), quiet)


def weighed(trials, wallets=WALLETS):
    demos = [UsedDemo(name, f"t-{name}", 500_000) for name in trials.players]
    arrivals = [Arrival(name, f"t-{name}", wallets[at], None, at) for at, name in enumerate(trials.players)]
    return write_facts(demos, arrivals, Scope("here", "tickets"), trials)


def test_every_coalition_is_asked_once_and_progress_is_told():
    asked, told = [], []

    def ask(coalition):
        asked.append(coalition)
        return helped(30)(coalition)

    hold([*NAMES, *NAMES], 64, 0, items(30), ask, lambda done, of: told.append((done, of)))
    assert asked == coalitions(NAMES, RULES)
    assert told == [(at + 1, 16) for at in range(16)]


def test_those_who_help_are_paid_and_neither_the_idle_nor_the_harmful_is():
    facts = weighed(tried())
    values = {line.cluster: line.value_ppm for line in values_of(read_facts(facts)).lines}
    assert values["c0"] > values["c1"] > 0 == values["c2"] > values["c3"]
    table = recompute_weights(facts)
    assert (table.method, table.reason, table.total_ppm) == ("shapley", None, FULL_PPM)
    assert {line.address for line in table.lines} == {WALLETS[0], WALLETS[1]}


def test_whoever_has_the_file_gets_the_same_weights_and_bytes():
    trials = tried()
    facts = weighed(trials)
    assert read_facts(facts).trials == trials
    assert weighed(Trials.from_record(json.loads(canonical_json(trials.to_record())))) == facts


def test_an_item_that_was_not_judged_once_counts_for_nobody():
    """A missing score is missing: as 0 it would make a demo look good or bad."""
    full = tried()
    holes = [list(row) for row in full.scores]
    for at in range(0, 200, 3):
        holes[at % 16][at] = None
    kept = [at for at in range(200) if at % 3]
    rest = Trials(
        NAMES, RULES, tuple(full.items[at] for at in kept), tuple(tuple(row[at] for at in kept) for row in full.scores)
    )
    with_holes = Trials(NAMES, RULES, full.items, tuple(map(tuple, holes)))
    assert [line.value_ppm for line in valued(with_holes).lines] == [line.value_ppm for line in valued(rest).lines]


@pytest.mark.parametrize("players", [4, 7])
def test_standard_errors_cover_what_other_items_would_have_given(players):
    """120 draws of 120 items: the value over endless items is in the 95 % interval about 95 % of the times."""
    names = [f"c{i}" for i in range(players)]
    shares = [0.05 * (i + 1) for i in range(players)]

    def draw(seed, count):
        rng = random.Random(seed)
        rows = [[rng.random() < share for share in shares] for _ in range(count)]
        # Alone, each demo helps with its own items: its value is its share.
        return lambda coalition: [
            100_000 * sum(hit and name in coalition for name, hit in zip(names, row, strict=True)) for row in rows
        ]

    inside = total = 0
    for seed in range(120):
        found = valued(hold(names, 64, 0, items(120), draw(seed, 120), quiet))
        for line, share in zip(found.lines, shares, strict=True):
            inside += abs(line.value_ppm - share * 120 * 100_000) <= 1.96 * line.error_ppm
            total += 1
    assert 0.92 <= inside / total <= 0.98


def test_useless_demos_are_seldom_paid_however_many_there_are():
    """Chance alone: every answer is right or wrong by itself, whichever demos are shown."""
    names = [f"c{i}" for i in range(5)]

    def luck(seed):
        return lambda coalition: [
            FULL_PPM * (random.Random(f"{seed} {sorted(coalition)} {at}").random() < 0.1) for at in range(100)
        ]

    def paid(seed):
        return any(
            line.value_ppm * FULL_PPM > held.rules.z_ppm * line.error_ppm
            for held in [hold(names, 64, 0, items(100), luck(seed), quiet)]
            for line in valued(held).lines
        )

    assert sum(paid(seed) for seed in range(120)) <= 12


def test_the_points_of_t_are_those_of_scipy():
    from scipy.stats import t

    assert {players: math.ceil(t.ppf(1 - 0.05 / players, 19) * 1000) * 1000 for players in T_PPM} == T_PPM


def test_more_than_can_be_valued_is_refused_before_anything_is_listed():
    record = tried(30).to_record() | {"players": [f"c{i:02d}" for i in range(40)], "budget": 10_000}
    with pytest.raises(RecordError, match="scores"):
        Trials.from_record(record)
    with pytest.raises(AttributionError, match="Weigh by usage"):
        Trials.from_record(record | {"players": [f"c{i:02d}" for i in range(65)]})
    with pytest.raises(RecordError, match="budget"):
        Trials.from_record(record | {"budget": 2**53 - 1})


def test_items_of_one_session_are_no_independent_evidence():
    """The same scores in sessions of ten have a wider error than alone, if sessions are of one kind throughout."""

    def ask(coalition):
        return [FULL_PPM * ("c0" in coalition and at // 10 % 2 == 0) for at in range(300)]

    alone = hold(NAMES, 64, 0, items(300), ask, quiet)
    together = hold(NAMES, 64, 0, items(300, lambda at: f"s{at // 10}"), ask, quiet)
    one, other = (valued(each).lines[0] for each in (alone, together))
    assert one.value_ppm == other.value_ppm
    assert other.error_ppm > 2 * one.error_ppm


def test_a_value_that_other_items_might_not_have_shown_is_not_paid():
    def ask(coalition):
        return [FULL_PPM * ("c0" in coalition and at < 2) for at in range(100)]

    table = recompute_weights(weighed(hold(NAMES, 64, 0, items(100), ask, quiet)))
    assert (table.reason, table.lines) == ("within_noise", ())


@pytest.mark.parametrize(("count", "reason"), [(LEAST_BATCHES - 1, "too_few_items"), (LEAST_BATCHES, None)])
def test_too_few_items_tell_nothing_and_the_record_says_so(count, reason):
    def ask(coalition):
        return [FULL_PPM * ("c0" in coalition)] * count

    assert recompute_weights(weighed(hold(NAMES, 64, 0, items(count), ask, quiet))).reason == reason


@given(st.integers(0, 10**6), st.lists(st.integers(0, 7), min_size=4, max_size=4))
@settings(max_examples=25, deadline=None)
def test_an_idle_demo_is_paid_nothing_whoever_gave_it_and_splitting_an_address_moves_nobody_else(seed, owners):
    trials = tried(60, seed)
    wallets = [WALLETS[owner] for owner in owners]
    alone = recompute_weights(weighed(trials))
    shared = recompute_weights(weighed(trials, wallets))
    clusters = {cluster: line for line in alone.lines for cluster in line.clusters}
    assert "c2" not in clusters
    for line in shared.lines:
        assert line.weight_ppm == sum(clusters[cluster].weight_ppm for cluster in line.clusters)


def test_trials_of_other_demos_are_refused():
    facts = weighed(tried())
    other = json.loads(facts)
    other["demos"] = other["demos"][1:]
    with pytest.raises(AttributionError, match="exactly the demos' clusters"):
        recompute_weights(canonical_json(other))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"players": ["c1", "c0", "c2", "c3"]}, "players"),
        ({"players": []}, "players"),
        ({"budget": 63}, "budget"),
        ({"seed": "0"}, "seed"),
        ({"seed": -1}, "seed"),
        ({"items": [["i", "g"]] * 30}, "items"),
        ({"items": ["i"]}, "items"),
        ({"items": [["i", 1]]}, "items"),
        ({"scores": [[0] * 30] * 15}, "scores"),
        ({"scores": [[0] * 29] * 16}, "scores"),
        ({"scores": [[FULL_PPM + 1] * 30] * 16}, "scores"),
        ({"scores": [[True] * 30] * 16}, "scores"),
        ({"scores": [[0.5] * 30] * 16}, "scores"),
        ({"scores": 16 * ["0"]}, "scores"),
        ({"more": 1}, "more"),
    ],
)
def test_a_record_that_is_none_is_refused_by_its_field(change, where):
    record = tried(30).to_record() | change
    with pytest.raises(RecordError, match=where):
        Trials.from_record(record)
