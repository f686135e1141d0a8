"""DSPy's instruction optimisers, run to their end with a model that writes and follows instructions."""

from importlib.util import find_spec

import pytest

from telefine_assets.lm.opening import Unreachable
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.strategies import StrategyError, estimate, instructing, propose
from telefine_assets.settings.compile import CoproSettings, GepaSettings, MiproV2Settings, SimbaSettings
from telefine_assets_tests.knn_lm import knn_lm
from telefine_assets_tests.programs.examples import opened
from telefine_assets_tests.programs.strategies.tasks import proposals, right, states, task_on
from telefine_assets_tests.programs.strategies.writer import MAGIC, writes

COPRO = CoproSettings(breadth=2, depth=2, max_scored=6)
MIPRO = MiproV2Settings(instructions=3, trials=4, minibatch=4, max_bootstrapped_demos=2, max_labeled_demos=2)
SIMBA = SimbaSettings(steps=3, tries=6, batch=8, max_scored=12, max_demos=8)
GEPA = GepaSettings(max_metric_calls=30)
SMALL = {"train": 12, "valid": 6}
EVERY = pytest.mark.parametrize("settings", [COPRO, MIPRO, SIMBA, GEPA], ids=lambda each: each.strategy)


@EVERY
def test_it_makes_a_better_program_the_same_one_however_many_calls_are_in_flight(knn, settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    knn.instead = writes
    (proposal,) = proposals(knn, settings, in_flight=1, **SMALL)
    before = knn.calls
    made = states(knn, settings, in_flight=4, **SMALL)
    assert made == [(proposal.name, dump_state(proposal.module), proposal.claimed_ppm)]
    assert knn.calls == 2 * before, "nothing but the order of calls differs"
    assert before <= estimate(settings, 12, 6, 1).calls_at_most
    with task_on(knn) as task:
        assert right(knn, proposal.module) > right(knn, task.student) + 10
    assert 0 < proposal.claimed_ppm <= 1_000_000
    assert not list(tmp_path.iterdir()), "no run leaves files where it was started"


@EVERY
def test_nothing_is_printed_and_nothing_global_is_set(knn, settings, capfd):
    import dspy

    knn.instead = writes
    with task_on(knn, **SMALL) as task:
        for _ in propose(settings, task):
            assert dspy.settings.lm is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("settings", [COPRO, MIPRO, GEPA], ids=lambda each: each.strategy)
def test_another_model_may_write_the_instructions(knn, settings):
    """The program's own model never sees a prompt for instructions, and follows what the teacher wrote."""
    knn.instead = lambda prompt: writes(prompt) if prompt.rstrip().endswith("Team:") else "cannot write"
    with knn_lm() as writer:
        writer.instead = writes
        with opened(writer, adapter="chat" if settings is GEPA else "plain") as teacher:
            made = states(knn, settings, teacher_lm=teacher, **SMALL)
        assert writer.calls
    assert any(MAGIC in state["sort"]["signature"]["instructions"] for _, state, _ in made)
    assert all(prompt.rstrip().endswith("Team:") for prompt in knn.prompts)


def test_each_model_is_asked_in_its_own_layout(knn):
    """A teacher with a chat layout beside a student with the plain one."""
    knn.instead = writes
    with knn_lm() as writer:
        writer.instead = lambda prompt: (
            "\n[[ ## proposed_instruction ## ]]\n"
            f"Please {MAGIC}\n\n[[ ## proposed_prefix_for_output_field ## ]]\nTeam:\n\n[[ ## completed ## ]]"
        )
        with opened(writer, adapter="chat") as teacher:
            ((_, state, _),) = states(knn, COPRO, teacher_lm=teacher, **SMALL)
    assert state["sort"]["signature"]["instructions"] == f"Please {MAGIC}"


def test_as_many_programs_as_asked_for_are_proposed_best_first(knn):
    knn.instead = writes
    made = states(knn, MIPRO.model_copy(update={"candidates": 2, "minibatch": 6}), **SMALL)
    claims = [claim for _, _, claim in made]
    assert [name for name, _, _ in made] == ["1", "2"]
    assert claims == sorted(claims, reverse=True)


@EVERY
def test_the_seed_decides_what_is_tried(knn, settings):
    knn.instead = writes
    asked = []
    for seed in (0, 0, 1):
        knn.prompts.clear()
        states(knn, settings, seed=seed, **SMALL)
        asked.append(sorted(knn.prompts))
    assert asked[0] == asked[1] != asked[2]


@EVERY
def test_a_model_that_fails_in_between_fails_the_strategy(knn, settings):
    knn.instead = writes
    asked = iter(range(1_000_000))
    knn.refuses = lambda prompt: next(asked) > 15
    with pytest.raises(Unreachable):
        proposals(knn, settings, num_retries=0, **SMALL)


def test_without_optuna_the_extra_is_named(knn, monkeypatch):
    assert find_spec("optuna"), "the other tests need it"
    monkeypatch.setattr(instructing, "find_spec", lambda name: None)
    with pytest.raises(StrategyError, match=r"telefine-assets\[optimisers\]"):
        proposals(knn, MIPRO)
