"""Demos are tried by leaving the others out, on the items that the candidate was chosen by, and by no others."""

from dataclasses import asdict, replace

import pytest

from telefine_assets.attribution.trials import hold, valued
from telefine_assets.lm.budget import Unreachable
from telefine_assets.programs.compiling import Models, compile_day
from telefine_assets.programs.spec import ProgramError
from telefine_assets.programs.versions import first_version
from telefine_assets.programs.worth import LABEL, DemoTrials, validation_of
from telefine_assets_tests.lm.opened import journaled
from telefine_assets_tests.programs.examples import (
    KEY,
    cleaned_tickets,
    compile_settings,
    opened,
    tickets_spec,
)

SPEC = tickets_spec()
CLEANED = cleaned_tickets(200)
SETTINGS = compile_settings()


@pytest.fixture
def compiled(knn):
    with opened(knn) as lm:
        return compile_day(SPEC, CLEANED, first_version(SPEC, lm.identity), SETTINGS, KEY, Models(lm))


def trials_with(lm, compiled, items=None):
    record = compiled.to_record(lm.identity)
    items = validation_of(record, CLEANED, SPEC, SETTINGS, KEY) if items is None else items
    return DemoTrials(SPEC, compiled.candidate, record["demos"], items, lm)


def test_a_coalition_shows_its_own_demos_in_their_order_and_no_others(knn, compiled):
    with opened(knn) as lm:
        trials = trials_with(lm, compiled)
    clusters = [demo.cluster for demo in compiled.demos]
    (part,) = compiled.candidate.state.values()
    (kept,) = trials.state(frozenset(clusters[1:3])).values()
    assert kept == {**part, "demos": part["demos"][1:3]}
    assert trials.state(frozenset(clusters)) == compiled.candidate.state
    assert all(part["demos"] == [] for part in trials.state(frozenset()).values())


def test_all_demos_score_as_the_candidate_did_and_a_program_without_demos_by_itself(knn, compiled):
    with opened(knn) as lm:
        trials = trials_with(lm, compiled)
        whole = trials.scores(frozenset(demo.cluster for demo in compiled.demos))
        none = trials.scores(frozenset())
        assert lm.spent_by()[LABEL].calls == 2 * len(trials.items)
    by_name = {each.name: each.mean_ppm for each in compiled.standings}
    assert sum(whole) // len(whole) == by_name[compiled.tournament.winner.name]
    # The stand-in copies the nearest demo's answer: shown none, it knows nothing.
    assert set(none) == {0}


def test_the_items_are_the_validation_items_of_the_compile(knn, compiled):
    with opened(knn) as lm:
        items = trials_with(lm, compiled).items
    assert [item.cluster for item in items] == [item.cluster for item in compiled.validation]
    assert {trace.split for trace in CLEANED if trace.cluster in {item.cluster for item in items}} == {"validation"}


def test_values_sum_to_what_demos_gained_and_a_second_run_asks_nothing(knn, compiled, tmp_path):
    clusters = [demo.cluster for demo in compiled.demos][:5]
    found, calls = [], []
    for _ in range(2):
        with journaled(f"sqlite:///{tmp_path}/ledger.db", knn) as lm:
            trials = trials_with(lm, compiled, compiled.validation[:20])
            items = [(item.cluster, item.group) for item in trials.items]
            held = hold(clusters, 64, 0, items, trials.scores, lambda done, of: None)
            found.append(held)
            calls.append(lm.spent.calls)
    values = valued(found[0])
    assert found[0] == found[1]
    assert calls[0] > calls[1] == 0
    assert values.total_ppm == sum(line.value_ppm for line in values.lines) > 0


def test_a_model_that_does_not_answer_is_no_wrong_answer(knn, compiled):
    with opened(knn, num_retries=0) as lm:
        trials = trials_with(lm, compiled)
        knn.fail_share = 1.0
        with pytest.raises(Unreachable):
            trials.scores(frozenset())


def test_traces_that_changed_since_the_compile_are_refused(knn, compiled):
    with opened(knn) as lm:
        record = compiled.to_record(lm.identity)
    changed = [replace(each, label='{"team":"other"}') if each.split == "validation" else each for each in CLEANED]
    with pytest.raises(ProgramError, match="materialise compiled_programs of this day again"):
        validation_of(record, changed, SPEC, SETTINGS, KEY)


def test_another_model_than_the_candidates_is_refused(knn, compiled):
    with opened(knn, max_tokens=17) as lm, pytest.raises(ProgramError, match="no longer what version"):
        DemoTrials(SPEC, compiled.candidate, [asdict(demo) for demo in compiled.demos], [], lm)
