"""Strategies that choose demos: what they learn from, and what they leave alone."""

import pytest

from telefine_assets.programs.nearest import KNN, demos_shown, wrapped
from telefine_assets.programs.state import dump_state, load_state
from telefine_assets.programs.strategies import propose
from telefine_assets.settings.compile import KnnFewShotSettings
from telefine_assets_tests.programs.examples import BOOTSTRAP, LABELED, SEARCH, items
from telefine_assets_tests.programs.strategies.tasks import SPEC, proposals, right, states, task_on

NEAREST = KnnFewShotSettings(k=3, max_pool=24, max_bootstrapped_demos=4)
EVERY = pytest.mark.parametrize("settings", [LABELED, BOOTSTRAP, SEARCH, NEAREST], ids=lambda each: each.strategy)


@EVERY
def test_the_same_task_gives_the_same_programs_however_many_calls_are_in_flight(knn, settings):
    assert states(knn, settings, in_flight=1) == states(knn, settings, in_flight=4) == states(knn, settings)


@EVERY
def test_every_program_is_better_than_none(knn, settings):
    for each in proposals(knn, settings):
        assert right(knn, each.module) > 30


@EVERY
def test_a_program_shows_nothing_but_the_trainset(knn, settings):
    for _, state, _ in states(knn, settings):
        demos = state["sort"]["demos"]
        assert 2 < len(demos) <= (24 if settings is NEAREST else settings.max_labeled_demos)
        assert {demo["ticket"] for demo in demos} <= {item.inputs["ticket"] for item in items(40)}


def test_a_bootstrapped_demo_is_an_answer_that_the_metric_accepted(knn):
    truth = {item.inputs["ticket"]: item.label["team"] for item in items(40)}
    demos = [demo for demo in states(knn, BOOTSTRAP)[0][1]["sort"]["demos"] if demo.get("augmented")]
    assert len(demos) == BOOTSTRAP.max_bootstrapped_demos
    assert all(demo["team"] == truth[demo["ticket"]] for demo in demos)


def test_random_search_proposes_the_programs_that_dspy_would_compare(knn):
    import dspy

    with task_on(knn) as task, task.context():
        optimiser = dspy.BootstrapFewShotWithRandomSearch(
            metric=task.scorer(),
            max_bootstrapped_demos=SEARCH.max_bootstrapped_demos,
            max_labeled_demos=SEARCH.max_labeled_demos,
            num_candidate_programs=5,
            num_threads=2,
            max_errors=1_000,
        )
        best = optimiser.compile(task.student, trainset=task.trainset, valset=task.valset)
        theirs = {str(each["seed"]): dump_state(each["program"]) for each in best.candidate_programs}
    ours = {name: state for name, state, _ in states(knn, SEARCH.model_copy(update={"candidates": 5}))}
    assert theirs.pop("-3")["sort"]["demos"] == []
    assert ours == theirs
    assert list(ours) == ["-2", "-1", "0", "1", "2", "3", "4"]


def test_another_seed_searches_elsewhere(knn):
    first, second = ({name for name, _, _ in states(knn, SEARCH, seed=seed)} for seed in (0, 2))
    assert first - {"-2", "-1"} == {"0", "1"} and second - {"-2", "-1"} == {"2", "3"}


def test_the_nearest_demos_of_a_large_pool_do_better_than_as_many_fixed_ones(knn):
    pool = KnnFewShotSettings(k=3, max_pool=40)
    few = LABELED.model_copy(update={"max_labeled_demos": 3})
    nearest, fixed = (right(knn, proposals(knn, settings)[0].module) for settings in (pool, few))
    assert nearest > fixed + 5


def test_a_pool_is_stored_whole_and_loads_to_the_same_answers(knn):
    (proposal,) = proposals(knn, NEAREST)
    state = dump_state(proposal.module)
    assert len(state["sort"]["demos"]) == 24
    assert sum(bool(demo.get("augmented")) for demo in state["sort"]["demos"]) == 4
    assert demos_shown(state, NEAREST.model_dump()) == 3
    loaded = wrapped(load_state(SPEC, state), {"strategy": KNN, "k": 3})
    assert dump_state(loaded) == state
    asked = []
    for module in (proposal.module, loaded):
        knn.prompts.clear()
        right(knn, module)
        asked.append(sorted(knn.prompts))
    assert asked[0] == asked[1]
    assert all(prompt.count("\nTeam: ") == 3 for prompt in asked[0])


def test_a_pool_of_labels_needs_no_call(knn):
    assert states(knn, KnnFewShotSettings())
    assert knn.calls == 0


@EVERY
def test_nothing_is_printed_and_nothing_global_is_set(knn, settings, capsys):
    import dspy

    with task_on(knn) as task:
        for _ in propose(settings, task):
            assert dspy.settings.lm is None
    assert capsys.readouterr() == ("", "")
