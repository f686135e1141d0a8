"""The tournament: who wins, who is left out, and what is compared."""

import pytest

from telefine_assets.programs.compiling import validation_scores
from telefine_assets.programs.metrics import Metric, MetricError
from telefine_assets.programs.scoring import Answer
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.strategies import STRATEGIES
from telefine_assets.programs.tournament import BASELINE, Contender, TournamentError, choose, compete
from telefine_assets_tests.programs.examples import BOOTSTRAP, LABELED, SEARCH, items, opened, tickets_spec

SPEC = tickets_spec()
FIRST = dump_state(SPEC.build())
OK, BAD, NONE = 1_000_000, 0, None


def contender(name, scores, demos=2, error=None):
    state = None if error else {"sort": {"demos": [{}] * demos}}
    answers = [Answer({}, score, None if score is not None else "LMRateLimitError") for score in scores]
    return Contender(name, {"strategy": name}, state, answers, error)


def winner(*contenders):
    return choose(contenders).winner.name


def test_the_highest_score_wins():
    contenders = [
        contender(BASELINE, [OK, BAD, BAD]),
        contender("1-a", [OK, OK, BAD], 16),
        contender("2-b", [OK, BAD, BAD], 0),
    ]
    tournament = choose(contenders)
    assert (tournament.winner.name, tournament.improved) == ("1-a", True)
    assert [(each.name, each.sum_ppm, each.n) for each in tournament.standings] == [
        (BASELINE, OK, 3),
        ("1-a", 2 * OK, 3),
        ("2-b", OK, 3),
    ]


def test_the_baseline_wins_ties_even_against_fewer_demos():
    tournament = choose([contender(BASELINE, [OK, BAD], 4), contender("1-a", [BAD, OK], 0)])
    assert (tournament.winner.name, tournament.improved) == (BASELINE, False)


def test_fewer_demos_win_ties_among_strategies():
    assert winner(contender(BASELINE, [BAD]), contender("1-a", [OK], 8), contender("2-b", [OK], 4)) == "2-b"


def test_the_earlier_entry_wins_what_is_still_tied_also_beyond_ten():
    strategies = [contender(f"{number}-a", [OK]) for number in range(2, 12)]
    assert winner(contender(BASELINE, [BAD]), *strategies) == "2-a"


def test_scores_are_compared_to_full_precision():
    assert winner(contender(BASELINE, [500_000] * 3), contender("1-a", [500_000, 500_000, 500_001])) == "1-a"


def test_an_item_that_one_contender_got_no_answer_to_counts_for_none():
    tournament = choose([contender(BASELINE, [OK, OK, BAD, BAD]), contender("1-a", [NONE, NONE, OK, BAD])])
    assert tournament.winner.name == "1-a"
    assert [(each.sum_ppm, each.n) for each in tournament.standings] == [(0, 2), (OK, 2)]


def test_one_that_failed_is_in_the_standings_and_takes_no_item_from_the_others():
    tournament = choose([contender(BASELINE, [OK, BAD]), contender("1-a", [], error="ValueError: x")])
    failed = tournament.standings[1]
    assert (failed.scored, failed.error, failed.to_record()["mean_ppm"]) == (False, "ValueError: x", None)
    assert tournament.standings[0].n == 2
    record = {"standings": [each.to_record() for each in tournament.standings]}
    assert f"validation/{failed.name}" not in validation_scores(record)
    assert len(validation_scores(record)) == len(tournament.standings) - 1


def test_without_an_item_that_all_answered_nothing_is_decided():
    with pytest.raises(TournamentError, match="language model"):
        choose([contender(BASELINE, [NONE, OK]), contender("1-a", [OK, NONE])])


def test_strategies_compete_on_the_same_validation_items_and_the_better_program_wins(knn):
    with opened(knn) as lm:
        tournament = compete(SPEC, FIRST, [LABELED, BOOTSTRAP, SEARCH], items(80), items(40, 500), lm)
    assert [each.name for each in tournament.standings] == [
        BASELINE,
        "1-labeled_few_shot",
        "2-bootstrap_few_shot",
        "3-bootstrap_few_shot_with_random_search",
    ]
    assert all(each.n == 40 and each.error is None for each in tournament.standings)
    best = max(each.sum_ppm for each in tournament.standings)
    assert tournament.improved
    assert best > 1.3 * tournament.standings[0].sum_ppm
    assert tournament.winner.name in {each.name for each in tournament.standings if each.sum_ppm == best}


def test_a_strategy_that_fails_is_recorded_and_the_others_go_on(knn, monkeypatch):
    def fails(settings, task):
        raise RuntimeError("out of ideas")

    monkeypatch.setitem(STRATEGIES, "bootstrap_few_shot", fails)
    with opened(knn) as lm:
        tournament = compete(SPEC, FIRST, [BOOTSTRAP, LABELED], items(80), items(20, 500), lm)
    assert tournament.standings[1].error == "RuntimeError: out of ideas"
    assert tournament.winner.name == "2-labeled_few_shot"


def test_a_broken_metric_stops_the_tournament(knn):
    broken = tickets_spec()
    object.__setattr__(broken, "metric", Metric("broken", lambda *_: 7))
    with opened(knn) as lm, pytest.raises(MetricError, match="broken"):
        compete(broken, FIRST, [LABELED], items(20), items(5, 500), lm)


def test_a_model_that_is_down_decides_nothing(knn):
    knn.refuses = lambda prompt: True
    with opened(knn, num_retries=0) as lm, pytest.raises(TournamentError):
        compete(SPEC, FIRST, [LABELED], items(20), items(5, 500), lm)
