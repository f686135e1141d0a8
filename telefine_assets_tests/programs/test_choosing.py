"""Who wins among contenders that answered the same items."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.programs.choosing import (
    BASELINE,
    Contender,
    TournamentError,
    chance_of_lead,
    choose,
    standing,
)
from telefine_assets.programs.scoring import Answer

OK, BAD, NONE = 1_000_000, 0, None
NOISE = 20


def contender(name, scores, demos=2, error=None):
    state = None if error else {"sort": {"signature": {}, "demos": [{"ticket": "t", "team": "a"}] * demos}}
    answers = [Answer({}, score, None if score is not None else "LMRateLimitError") for score in scores]
    return Contender(name, {"strategy": name}, state, answers, error=error)


def winner(*contenders, noise=NOISE):
    return choose(contenders, noise).name


def test_the_highest_score_wins():
    assert winner(contender(BASELINE, [OK] * 10 + [BAD] * 30), contender("1-a", [OK] * 25 + [BAD] * 15, 16)) == "1-a"


def test_a_lead_that_chance_explains_leaves_the_baseline_where_it_is():
    assert winner(contender(BASELINE, [OK] * 20 + [BAD] * 20), contender("1-a", [OK] * 21 + [BAD] * 19)) == BASELINE


def test_of_those_that_noise_cannot_tell_apart_the_cheaper_wins():
    best = contender("1-a", [OK] * 31 + [BAD] * 9, demos=16)
    cheaper = contender("2-b", [OK] * 30 + [BAD] * 10, demos=4)
    assert winner(contender(BASELINE, [OK] * 5 + [BAD] * 35), best, cheaper) == "2-b"


def test_the_baseline_wins_ties_even_against_fewer_demos():
    assert winner(contender(BASELINE, [OK, BAD], 4), contender("1-a", [BAD, OK], 0)) == BASELINE


def test_the_earlier_entry_wins_what_is_still_tied_also_beyond_ten():
    entries = [contender(f"{number}-a", [OK] * 9) for number in range(2, 12)]
    assert winner(contender(BASELINE, [BAD] * 9), *entries) == "2-a"


def test_scores_are_compared_to_full_precision():
    assert winner(contender(BASELINE, [500_000] * 9), contender("1-a", [500_001] * 9)) == "1-a"


def test_an_item_that_one_contender_got_no_answer_to_counts_for_none():
    field = [contender(BASELINE, [OK, OK, *[BAD] * 6]), contender("1-a", [NONE, NONE, *[OK] * 6])]
    assert winner(*field) == "1-a"
    assert [(each.sum_ppm, each.n) for each in (standing(one, field) for one in field)] == [(0, 6), (6 * OK, 6)]


def test_one_that_failed_is_in_the_standings_without_a_score():
    field = [contender(BASELINE, [OK, BAD])]
    failed = standing(contender("1-a", [], error="ValueError: x"), field)
    assert (failed.scored, failed.error, failed.to_record()["mean_ppm"]) == (False, "ValueError: x", None)


def test_without_an_item_that_all_answered_nothing_is_decided():
    with pytest.raises(TournamentError, match="language model"):
        choose([contender(BASELINE, [NONE, OK]), contender("1-a", [OK, NONE])], NOISE)


@given(st.lists(st.sampled_from([-OK, 0, OK]), min_size=1, max_size=60))
def test_the_chance_of_a_lead_is_a_probability_and_never_below_what_a_sign_flip_allows(leads):
    chance = chance_of_lead(leads)
    assert 2.0 ** -sum(lead != 0 for lead in leads) <= chance <= 1 or (chance == 1.0 and sum(leads) <= 0)


@given(st.lists(st.integers(-OK, OK), min_size=2, max_size=40), st.randoms())
def test_the_chance_does_not_depend_on_the_order_of_the_items(leads, shuffler):
    other = list(leads)
    shuffler.shuffle(other)
    assert chance_of_lead(leads) == pytest.approx(chance_of_lead(other))


def test_the_chance_agrees_with_scipys_paired_t_test():
    from scipy.stats import ttest_rel

    ours, theirs = [OK] * 30 + [BAD] * 20, [BAD] * 15 + [OK] * 20 + [BAD] * 10 + [OK] * 5
    leads = [one - other for one, other in zip(ours, theirs, strict=True)]
    assert chance_of_lead(leads) == pytest.approx(ttest_rel(ours, theirs, alternative="greater").pvalue)
