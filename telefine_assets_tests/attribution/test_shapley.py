"""The promises of Shapley values and weights, each as a property."""

import random
from fractions import Fraction
from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.attribution.addresses import checksum_address
from telefine_assets.attribution.kernel import fit, least_budget, plan
from telefine_assets.attribution.shapley import (
    EXACT,
    KERNEL,
    PlayerValue,
    ShapleyRules,
    ShapleyValues,
    coalitions,
    shapley_values,
    shapley_weights,
)
from telefine_assets.attribution.usage import Arrival, AttributionError, UsedDemo
from telefine_assets.attribution.weights import FULL_PPM

WALLETS = [checksum_address(bytes([17 * (i + 1)]) * 20) for i in range(6)]
SMALL = ShapleyRules(budget=64)


def names_of(count):
    return [f"c{i:02d}" for i in range(count)]


def subsets_of(names):
    return [frozenset(chosen) for size in range(len(names) + 1) for chosen in combinations(names, size)]


@st.composite
def games(draw, low=1, high=6):
    """Any game at all: an answer for each coalition."""
    names = names_of(draw(st.integers(low, high)))
    coalitions = subsets_of(names)
    answers = draw(st.lists(st.integers(-(10**9), 10**9), min_size=len(coalitions), max_size=len(coalitions)))
    return names, dict(zip(coalitions, answers, strict=True))


def random_game(names, seed, noise=0, interactions=30, largest=4):
    """Single players' worths and interactions of some sets of two and more, answers with normal noise."""
    rng = random.Random(seed)
    worths = {name: rng.randint(-2_000_000, 10_000_000) for name in names}
    sets = [
        (frozenset(rng.sample(names, rng.randint(2, min(largest, len(names))))), rng.randint(-3_000_000, 3_000_000))
        for _ in range(interactions if len(names) > 1 else 0)
    ]

    def clean(coalition):
        return sum(worths[name] for name in coalition) + sum(worth for each, worth in sets if each <= coalition)

    def utility(coalition):
        return clean(coalition) + round(random.Random(f"{seed} {sorted(coalition)}").gauss(0, noise))

    truth = {
        name: worths[name] + sum(Fraction(worth, len(each)) for each, worth in sets if name in each) for name in names
    }
    return utility, truth


def values_of(found):
    return {line.cluster: line.value_ppm for line in found.lines}


def made(values, errors=None):
    """Values as given, as if they had been found."""
    errors = errors or [0] * len(values)
    lines = tuple(PlayerValue(f"c{i:02d}", v, e) for i, (v, e) in enumerate(zip(values, errors, strict=True)))
    return ShapleyValues(EXACT, lines, sum(values), 2 ** len(values))


def paid(values, wallets, rules=SMALL):
    """The weights of clusters that one wallet each submitted."""
    names = [line.cluster for line in values.lines]
    demos = [UsedDemo(name, f"t-{name}", 0) for name in names]
    arrivals = [Arrival(name, f"t-{name}", wallets[i], None, i) for i, name in enumerate(names)]
    return shapley_weights(values, demos, arrivals, rules)


def parts_of(weights):
    return {line.address: line.weight_ppm for line in weights.table.lines}


@given(games(high=5))
@settings(max_examples=60, deadline=None)
def test_exact_values_are_the_mean_gain_over_all_orders(game):
    names, worth = game
    orders = list(permutations(names))
    gains = dict.fromkeys(names, 0)
    for order in orders:
        for i, name in enumerate(order):
            gains[name] += worth[frozenset(order[: i + 1])] - worth[frozenset(order[:i])]
    for name, value in values_of(shapley_values(names, worth.__getitem__, SMALL)).items():
        assert abs(value - Fraction(gains[name], len(orders))) < 1


def test_six_players_are_exact_too():
    utility, truth = random_game(names_of(6), 1)
    found = shapley_values(truth, utility, SMALL)
    assert (found.method, found.coalitions) == (EXACT, 64)
    assert all(abs(value - truth[name]) < 1 for name, value in values_of(found).items())


@given(games(high=6))
@settings(max_examples=40, deadline=None)
def test_kernel_shap_with_all_coalitions_is_the_exact_value_and_has_the_exact_noise(game):
    names, worth = game
    full = 2 ** len(names) - 1
    design = plan(len(names), full + 1, 0)
    answers = [worth[frozenset(n for i, n in enumerate(names) if mask >> i & 1)] for mask in range(full + 1)]
    fitted = fit(design, [answers[mask] - answers[full ^ mask] for mask in design.masks], answers[full] - answers[0])
    exact = shapley_values(names, worth.__getitem__, ShapleyRules(budget=64, noise_ppm=10**9))
    assert sum(fitted.values) == answers[full] - answers[0]
    for value, spread, line in zip(fitted.values, fitted.spreads, exact.lines, strict=True):
        assert abs(value - line.value_ppm) < 1
        assert abs((2 * spread) ** 0.5 * 1e9 - line.error_ppm) < 2


@given(st.integers(1, 16), st.integers(64, 200), st.integers(0, 10**6), st.integers(0, 10**7))
@settings(max_examples=50, deadline=None)
def test_values_sum_to_the_gain_and_the_budget_is_kept(count, budget, seed, noise):
    utility, truth = random_game(names_of(count), seed, noise)
    rules = ShapleyRules(budget=max(budget, min(least_budget(count), 200)), seed=seed)
    asked = []
    found = shapley_values(truth, lambda coalition: asked.append(coalition) or utility(coalition), rules)
    assert found.total_ppm == utility(frozenset(truth)) - utility(frozenset())
    assert sum(values_of(found).values()) == found.total_ppm
    assert len(asked) == len(set(asked)) == found.coalitions <= rules.budget
    assert found.method == (EXACT if 2**count <= rules.budget else KERNEL)


@pytest.mark.parametrize("count", [5, 9])
@given(st.lists(st.integers(-(10**7), 10**7), min_size=10, max_size=10), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_equals_are_worth_the_same_and_a_null_player_nothing(count, worths, seed):
    names = names_of(count)
    twins, null = {names[1], names[3]}, names[2]

    def utility(coalition):
        return worths[len(twins & coalition)] + sum(worths[3 + i] for i in (0, 4) if names[i] in coalition)

    found = {line.cluster: line for line in shapley_values(names, utility, ShapleyRules(64, seed)).lines}
    assert abs(found[names[1]].value_ppm - found[names[3]].value_ppm) <= 1
    assert found[null].value_ppm == 0


@given(st.integers(0, 10**6), st.sampled_from([5, 8]))
@settings(max_examples=30, deadline=None)
def test_the_values_of_two_games_add_up(seed, count):
    names = names_of(count)
    (one, _), (two, _) = random_game(names, seed), random_game(names, seed + 1)
    first, second, both = (
        values_of(shapley_values(names, game, SMALL)) for game in (one, two, lambda c: one(c) + two(c))
    )
    assert all(abs(first[name] + second[name] - both[name]) <= 2 for name in names)


@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_neither_order_nor_repeats_of_the_players_matter(seed, shuffler):
    utility, truth = random_game(names_of(9), seed, noise=100_000)
    shuffled = [*truth, *truth]
    shuffler.shuffle(shuffled)
    rules = ShapleyRules(100, seed)
    assert shapley_values(shuffled, utility, rules) == shapley_values(truth, utility, rules)


def test_the_seed_decides_what_is_asked():
    names = names_of(10)
    asked = coalitions(names, ShapleyRules(100, 1))
    assert len(set(asked)) == len(asked) <= 100
    assert asked[:2] == [frozenset(), frozenset(names)]
    assert asked == coalitions(reversed(names), ShapleyRules(100, 1)) != coalitions(names, ShapleyRules(100, 2))


def test_the_sizes_with_the_most_weight_are_asked_completely():
    masks = set(plan(12, 400, 0).masks)
    assert len(masks) == 199
    assert {1 << i for i in range(12)} <= masks
    sizes = [min(mask.bit_count(), 12 - mask.bit_count()) for mask in masks]
    assert set(sizes) == {1, 2, 3, 4, 5, 6}
    assert not any(mask ^ 0xFFF in masks for mask in masks)


def test_values_of_a_game_drawn_from_are_right_but_for_the_spread():
    """A bias that the standard errors' coverage would be too coarse to show."""
    names = names_of(9)
    utility, truth = random_game(names, 3)
    runs = [shapley_values(names, utility, ShapleyRules(100, seed)) for seed in range(60)]
    for i, name in enumerate(names):
        mean = sum(run.lines[i].value_ppm for run in runs) / len(runs)
        assert abs(mean - truth[name]) < 4 * runs[0].lines[i].error_ppm / len(runs) ** 0.5


def errors_in_units(noise, interactions, largest=4):
    """How far fitted values are from the truth, in their own standard errors."""
    found = []
    for seed in range(40):
        utility, truth = random_game(names_of(10), seed, noise, interactions, largest)
        for line in shapley_values(truth, utility, ShapleyRules(200, seed)).lines:
            found.append(abs(line.value_ppm - truth[line.cluster]) / line.error_ppm)
    return found


def test_standard_errors_of_fitted_values_cover_the_truth_at_their_rate_among_noisy_answers():
    found = errors_in_units(2_000_000, 30, largest=2)
    assert 0.92 <= sum(each <= 1.96 for each in found) / len(found) <= 0.98
    assert 0.60 <= sum(each <= 1 for each in found) / len(found) <= 0.76


@pytest.mark.parametrize(("noise", "interactions"), [(1_000_000, 30), (0, 60)])
def test_standard_errors_err_on_the_wide_side_where_interactions_are_strong_but_not_without_bound(noise, interactions):
    found = errors_in_units(noise, interactions)
    assert sum(each <= 1.96 for each in found) / len(found) >= 0.95
    assert sum(each**2 for each in found) / len(found) >= 1 / 16


@pytest.mark.parametrize("count", [1, 2, 5])
def test_standard_errors_of_exact_values_cover_the_truth_at_their_rate(count):
    inside = total = 0
    for seed in range(600 // count):
        utility, truth = random_game(names_of(count), seed, noise=500_000, interactions=5)
        for line in shapley_values(truth, utility, ShapleyRules(64, noise_ppm=500_000)).lines:
            inside += abs(line.value_ppm - truth[line.cluster]) <= 1.96 * line.error_ppm
            total += 1
    assert 0.92 <= inside / total <= 0.98


def test_answers_that_repeat_themselves_leave_exact_values_without_error():
    utility, truth = random_game(names_of(4), 0)
    assert {line.error_ppm for line in shapley_values(truth, utility, SMALL).lines} == {0}


VALUES = st.lists(st.integers(-(10**7), 10**7), min_size=1, max_size=6)


@given(VALUES, st.lists(st.integers(0, 10**7), min_size=6, max_size=6), st.data())
def test_all_parts_go_to_values_beyond_the_noise_and_nobody_pays(values, errors, data):
    errors = errors[: len(values)]
    wallets = [data.draw(st.sampled_from([*WALLETS, None])) for _ in values]
    weights = paid(made(values, errors), wallets)
    table = weights.table
    beyond = {f"c{i:02d}" for i, (v, e) in enumerate(zip(values, errors, strict=True)) if v > 0 and v * 1000 > 1645 * e}
    listed = [cluster for line in (*table.lines, *table.escrow) for cluster in line.clusters]
    assert len(listed) == len(set(listed))
    assert set(listed) <= beyond
    assert table.total_ppm == (FULL_PPM if beyond else 0)
    assert set(weights.negative) == {f"c{i:02d}" for i, v in enumerate(values) if v < 0}
    assert {*weights.negative, *weights.within_noise} == {f"c{i:02d}" for i in range(len(values))} - beyond


@given(VALUES, st.data())
def test_splitting_an_address_gains_nothing_and_moves_nobody_else(values, data):
    wallets = [data.draw(st.sampled_from(WALLETS[:3])) for _ in values]
    split = [data.draw(st.sampled_from([wallet, WALLETS[5]])) if wallet == WALLETS[0] else wallet for wallet in wallets]
    before, after = parts_of(paid(made(values), wallets)), parts_of(paid(made(values), split))
    assert before.pop(WALLETS[0], 0) == after.pop(WALLETS[0], 0) + after.pop(WALLETS[5], 0)
    assert before == after


@given(VALUES)
def test_a_later_copy_gains_nothing_for_a_rival_or_its_author(values):
    found = made(values)
    demos = [UsedDemo(line.cluster, f"t{i}", 0) for i, line in enumerate(found.lines)]
    arrivals = [Arrival(line.cluster, f"t{i}", WALLETS[i], None, i) for i, line in enumerate(found.lines)]
    copies = [UsedDemo("c00", "copy", 5), UsedDemo("c00", "own", 5)]
    late = [Arrival("c00", "copy", WALLETS[5], None, 99), Arrival("c00", "own", WALLETS[0], None, 99)]
    before = shapley_weights(found, demos, arrivals, SMALL)
    after = shapley_weights(found, [*copies, *demos], [*late, *arrivals], SMALL)
    assert parts_of(after) == parts_of(before)


def test_clusters_of_one_wallet_add_up_and_an_unknown_one_is_held():
    weights = paid(made([3, 5, 2, -4]), [WALLETS[0], None, WALLETS[0].lower(), WALLETS[1]])
    assert weights.table.method == "shapley"
    assert parts_of(weights) == {WALLETS[0]: 500_000}
    assert [(line.reason, line.weight_ppm) for line in weights.table.escrow] == [("missing", 500_000)]
    assert weights.negative == ("c03",)


@pytest.mark.parametrize(
    ("values", "errors", "reason"),
    [
        ([], [], "no_demo_used"),
        ([-1, 0], [0, 0], "no_positive_value"),
        ([1_645, 0], [1_000, 0], "within_noise"),
    ],
)
def test_if_nobody_is_paid_the_reason_is_told(values, errors, reason):
    table = paid(made(values, errors), WALLETS).table
    assert (table.reason, table.lines, table.escrow) == (reason, (), ())


def test_a_value_just_beyond_the_noise_is_paid():
    assert parts_of(paid(made([1_646], [1_000]), WALLETS)) == {WALLETS[0]: FULL_PPM}


def test_no_players_ask_nothing():
    assert shapley_values([], {}.__getitem__, SMALL) == ShapleyValues(EXACT, (), 0, 0)


@pytest.mark.parametrize("answer", [0.5, True, None])
def test_an_answer_that_is_no_integer_is_refused(answer):
    with pytest.raises(AttributionError, match="utility: expected an integer"):
        shapley_values(["a"], lambda coalition: answer, SMALL)


def test_a_budget_that_is_too_small_is_refused_before_anything_is_asked():
    with pytest.raises(AttributionError, match=r"budget: 16 clusters need 66 .*found 64"):
        shapley_values(names_of(16), {}.__getitem__, SMALL)


@pytest.mark.parametrize("wrong", [{"budget": 63}, {"noise_ppm": -1}, {"z_ppm": -1}])
def test_rules_out_of_range_are_refused(wrong):
    with pytest.raises(AttributionError, match=next(iter(wrong))):
        ShapleyRules(**wrong)


def test_values_of_other_clusters_are_refused():
    with pytest.raises(AttributionError, match="exactly the demos' clusters"):
        shapley_weights(made([1]), [UsedDemo("other", "t", 0)], [], SMALL)
