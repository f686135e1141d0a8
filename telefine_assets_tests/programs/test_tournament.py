"""The tournament: who is asked what, who is left out, and when it ends early."""

from dataclasses import replace

import pytest

from telefine_assets.lm.budget import Unreachable
from telefine_assets.programs.choosing import BASELINE, TournamentError
from telefine_assets.programs.entries import Ring, entries
from telefine_assets.programs.metrics import Metric, MetricError
from telefine_assets.programs.strategies import REGISTRY
from telefine_assets.programs.tournament import Gate, compete
from telefine_assets.programs.versions import first_version, make_version
from telefine_assets_tests.programs.examples import (
    BOOTSTRAP,
    LABELED,
    SEARCH,
    compile_settings,
    items,
    opened,
    tickets_spec,
)

SPEC = tickets_spec()


def held(lm, strategies, train=80, validation=40, spec=SPEC, watch=None, baseline=None, **changes):
    settings = compile_settings(strategies=strategies, **changes)
    gate = Gate(spec, items(validation, 500), settings, lm, *([watch] if watch else []))
    return compete(
        gate,
        baseline or first_version(spec, lm.identity),
        entries(Ring(spec, settings, items(train), items(validation, 500), lm)),
    )


def by_name(tournament):
    return {each.name: each for each in tournament.standings}


def test_strategies_compete_on_the_same_validation_items_and_the_better_program_wins(knn):
    with opened(knn) as lm:
        tournament = held(lm, [LABELED, BOOTSTRAP, SEARCH], racing={"enabled": False})
    standings = by_name(tournament)
    assert list(standings)[:3] == [BASELINE, "1-labeled_few_shot/labeled", "2-bootstrap_few_shot/bootstrapped"]
    assert sum(name.startswith("3-bootstrap_few_shot_with_random_search/") for name in standings) >= 2
    assert all(each.n == 40 or each.dropped.startswith("the same program") for each in tournament.standings)
    best = max(each.sum_ppm for each in tournament.standings)
    assert tournament.improved
    assert best > 1.3 * standings[BASELINE].sum_ppm
    assert standings[tournament.winner.name].sum_ppm >= 0.9 * best


def wrong_team(example, prediction, trace=None):
    return 0.25 if prediction.team == example.team else 0.75


def test_of_a_loss_the_smaller_wins(knn):
    losses = tickets_spec(metric={"name": "function", "path": f"{__name__}:wrong_team", "direction": "lower"})
    with opened(knn) as lm:
        tournament = held(lm, [LABELED], spec=losses, racing={"enabled": False})
        best = held(lm, [LABELED], racing={"enabled": False})
    assert tournament.improved
    assert tournament.winner.state == best.winner.state
    won = sum(losses.metric.own_scale(answer.score_ppm) for answer in tournament.winner.answers)
    assert won < losses.metric.own_scale(by_name(tournament)[BASELINE].mean_ppm) * 40


@pytest.mark.parametrize("strategy", [BOOTSTRAP, SEARCH], ids=lambda each: each.strategy)
def test_optimisers_make_the_same_programs_of_a_loss_as_of_what_is_left_of_it(knn, strategy):
    loss = {"name": "function", "path": f"{__name__}:errs", "direction": "lower"}
    with opened(knn) as lm:
        one, other = (held(lm, [strategy], spec=spec) for spec in (SPEC, tickets_spec(metric=loss)))
    assert (one.winner.state, one.standings) == (other.winner.state, other.standings)
    assert one.improved


def errs(example, prediction, trace=None):
    return prediction.team != example.team


def test_racing_asks_fewer_questions_and_its_winner_is_as_good(knn):
    strategies = [{**SEARCH.model_dump(), "candidates": 12}]
    asked, score = {}, {}
    for racing in (False, True):
        knn.forget()
        before = knn.calls
        with opened(knn) as lm:
            won = held(lm, strategies, validation=80, racing={"enabled": racing, "first_items": 10}).winner
        asked[racing] = knn.calls - before
        score[racing] = sum(answer.score_ppm for answer in won.answers[:80]) / len(won.answers)
    assert asked[True] < 0.6 * asked[False]
    assert score[True] > score[False] - 80_000


def test_what_was_dropped_says_when_and_why(knn):
    with opened(knn) as lm:
        tournament = held(lm, [{**SEARCH.model_dump(), "candidates": 6}], racing={"first_items": 10})
    dropped = [each for each in tournament.standings if each.dropped]
    assert dropped
    assert all("after" in each.dropped or "same program" in each.dropped for each in dropped)
    assert by_name(tournament)[tournament.winner.name].dropped is None


def test_a_strategy_that_fails_is_recorded_and_the_others_go_on(knn, monkeypatch):
    def fails(settings, task):
        raise RuntimeError("out of ideas")
        yield

    monkeypatch.setitem(REGISTRY, "bootstrap_few_shot", fails)
    with opened(knn) as lm:
        tournament = held(lm, [BOOTSTRAP, LABELED])
    assert tournament.standings[1].error == "RuntimeError: out of ideas"
    assert tournament.winner.name == "2-labeled_few_shot/labeled"


def test_when_every_strategy_fails_the_tournament_fails_and_names_each_error(knn, monkeypatch):
    def fails(settings, task):
        raise RuntimeError("out of ideas")
        yield

    monkeypatch.setitem(REGISTRY, "bootstrap_few_shot", fails)
    with opened(knn) as lm, pytest.raises(TournamentError, match="1-bootstrap_few_shot: RuntimeError: out of ideas"):
        held(lm, [BOOTSTRAP])


def test_a_broken_metric_stops_the_tournament(knn):
    broken = tickets_spec()
    object.__setattr__(broken, "metric", Metric("broken", lambda *_: 7))
    with opened(knn) as lm, pytest.raises(MetricError, match="broken"):
        held(lm, [LABELED], spec=broken)


def test_a_model_that_is_down_decides_nothing(knn):
    knn.refuses = lambda prompt: True
    with opened(knn, num_retries=0) as lm, pytest.raises(Unreachable):
        held(lm, [LABELED])


def test_faults_on_the_way_change_neither_the_winner_nor_a_score(knn):
    results = []
    for share in (0.0, 0.25):
        knn.forget()
        knn.fail_share = share
        with opened(knn) as lm:
            tournament = held(lm, [LABELED, BOOTSTRAP, SEARCH])
        results.append((tournament.winner.state, tournament.standings))
    assert knn.failed > 20
    assert results[0] == results[1]


@pytest.mark.parametrize("in_flight", [1, 3, 8])
def test_the_result_does_not_depend_on_how_many_calls_are_in_flight(knn, in_flight):
    with opened(knn, calls_in_flight=2) as lm:
        expected = held(lm, [BOOTSTRAP, SEARCH])
    with opened(knn, calls_in_flight=in_flight) as lm:
        found = held(lm, [BOOTSTRAP, SEARCH])
    assert (found.winner.state, found.standings) == (expected.winner.state, expected.standings)


def test_when_the_budget_is_spent_the_best_so_far_wins_and_it_is_said(knn):
    with opened(knn, budget={"max_calls": 60}) as lm:
        tournament = held(lm, [LABELED, SEARCH], racing={"first_items": 16})
    assert knn.calls == 60
    assert "60" in tournament.ended_early
    assert tournament.improved
    assert by_name(tournament)[tournament.winner.name].n == 16


def test_a_budget_that_is_spent_at_once_keeps_the_champion(knn):
    with opened(knn, budget={"max_calls": 3}) as lm, pytest.raises(TournamentError, match="budget of 3"):
        held(lm, [LABELED])


def test_what_was_spent_by_each_contender_sums_to_the_total(knn):
    with opened(knn) as lm:
        held(lm, [LABELED, SEARCH])
        parts = lm.spent_by()
    assert sum(each.calls + each.remembered for each in parts.values()) == lm.spent.calls + lm.spent.remembered
    assert lm.spent.calls == knn.calls
    assert {BASELINE, "1-labeled_few_shot/labeled"} <= set(parts)


def test_progress_is_told_while_it_runs(knn):
    seen = []
    with opened(knn) as lm:
        tournament = held(lm, [LABELED, SEARCH], watch=seen.append)
    assert len(seen) >= len(tournament.standings) - 1
    assert [each.spent.calls for each in seen] == sorted(each.spent.calls for each in seen)
    assert seen[-1].best_ppm >= seen[0].best_ppm - 300_000


def test_programs_that_show_other_numbers_of_their_demos_are_not_the_same(knn):
    nearest = [{"strategy": "knn_few_shot", "k": k} for k in (1, 8)]
    with opened(knn) as lm:
        tournament = held(lm, nearest, racing={"enabled": False})
    assert [each.n for each in tournament.standings] == [40, 40, 40]
    assert [each.demos for each in tournament.standings[1:]] == [1, 8]


def test_a_baseline_that_chooses_among_its_demos_is_asked_as_it_serves(knn):
    with opened(knn) as lm:
        won = held(lm, [{"strategy": "knn_few_shot", "k": 2}]).winner
        knn.prompts.clear()
        champion = make_version(SPEC, won.state, won.strategy, "", lm.identity)
        tournament = held(lm, [LABELED], baseline=champion, validation=20, racing={"enabled": False})
    assert tournament.standings[0].demos == 2
    asked = [prompt.count("Team: ") for prompt in knn.prompts[:20]]
    assert asked == [2] * 20


def test_one_whose_questions_are_refused_is_wrong_and_takes_no_item_from_the_others(knn):
    knn.too_long = lambda prompt: prompt.count("Ticket: ") > 14
    with opened(knn) as lm:
        tournament = held(lm, [LABELED, {**LABELED.model_dump(), "max_labeled_demos": 8}])
    assert by_name(tournament)["1-labeled_few_shot/labeled"].sum_ppm == 0
    assert tournament.winner.name == "2-labeled_few_shot/labeled"


def test_a_program_that_returns_no_prediction_is_wrong_there_and_stops_nobody(knn):
    spec = replace(tickets_spec(), build=Silent)
    with opened(knn) as lm:
        tournament = held(lm, [LABELED], spec=spec, train=30, validation=20)
    assert tournament.standings[1].sum_ppm == 0
    assert tournament.winner.name == BASELINE


class Silent(type(SPEC.build())):
    """Says nothing once it has many demos."""

    def forward(self, ticket):
        return None if len(self.sort.demos) > 2 else super().forward(ticket)
