"""Bootstrapping with calls in flight: DSPy's program, in less time, for few calls more."""

import threading

import pytest

from telefine_assets.lm.opening import Unreachable
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.strategies import propose
from telefine_assets.settings.compile import BootstrapFewShotSettings
from telefine_assets_tests.programs.examples import tickets_spec
from telefine_assets_tests.programs.strategies.tasks import knows, proposals, states, task_on, two_steps

SETTINGS = BootstrapFewShotSettings(max_bootstrapped_demos=3, max_labeled_demos=12)


def dspys_own(task, settings):
    import dspy

    optimiser = dspy.BootstrapFewShot(
        max_bootstrapped_demos=settings.max_bootstrapped_demos,
        max_labeled_demos=settings.max_labeled_demos,
        max_rounds=settings.max_rounds,
        metric=task.scorer(),
        max_errors=1_000,
    )
    with task.context():
        return dump_state(optimiser.compile(task.student, trainset=list(task.trainset)))


def ours(task, settings):
    return dump_state(next(propose(settings, task)).module)


@pytest.mark.parametrize("in_flight", [1, 3, 8])
def test_the_program_is_dspys_own_however_many_calls_are_in_flight(knn, in_flight):
    with task_on(knn, in_flight=in_flight) as task:
        assert ours(task, SETTINGS) == dspys_own(task, SETTINGS)


@pytest.mark.parametrize("in_flight", [1, 3, 8])
def test_so_it_is_with_several_predictors_and_rounds(knn, in_flight):
    knn.instead = knows(share=3)
    settings = BootstrapFewShotSettings(max_bootstrapped_demos=6, max_labeled_demos=0, max_rounds=2)
    with task_on(knn, in_flight=in_flight, student=two_steps()) as task:
        mine = ours(task, settings)
        assert mine == dspys_own(task, settings)
    assert [len(part["demos"]) for part in mine.values()] == [6, 6]
    shown = {demo["ticket"] for demo in mine["team"]["demos"]}
    assert len({ticket.isupper() for ticket in shown}) == 2, "either trace of the predictor may become the demo"


def test_more_calls_in_flight_ask_few_examples_in_vain(knn):
    asked = []
    for in_flight in (1, 8):
        before = knn.calls
        with task_on(knn, in_flight=in_flight) as task:
            ours(task, SETTINGS)
        asked.append(knn.calls - before)
    assert SETTINGS.max_bootstrapped_demos <= asked[0] <= asked[1] <= asked[0] + 7


def test_as_many_calls_are_in_flight_as_the_model_allows(knn):
    meet = threading.Barrier(4, timeout=10)
    knn.instead = lambda prompt: meet.wait() and None
    with task_on(knn, train=4, in_flight=4) as task:
        assert ours(task, SETTINGS)
    assert not meet.broken


def test_an_example_that_breaks_the_program_takes_no_demo_from_the_others(knn):
    """DSPy would go on without the demos that it had hidden when the teacher raised."""
    with task_on(knn, in_flight=2) as task:
        broken = [example.ticket for example in task.trainset[:6]]
        knn.instead = lambda prompt: "nobody" if any(text in prompt.split("\n\n")[-1] for text in broken) else None
        demos = [demo for demo in ours(task, SETTINGS)["sort"]["demos"] if demo.get("augmented")]
        teachers = {prompt.count("\nTeam: ") for prompt in knn.prompts}
    assert [demo["ticket"] for demo in demos] and not {demo["ticket"] for demo in demos} & set(broken)
    assert teachers <= {11, 12}, "every prompt has the teacher's demos, but for the example itself"


def test_a_model_that_does_not_answer_is_an_error_and_no_wrong_answer(knn):
    knn.refuses = lambda prompt: True
    with pytest.raises(Unreachable):
        proposals(knn, SETTINGS, in_flight=2, num_retries=0)
    assert knn.calls <= 4, "what is out of reach is not asked for every example"


def test_an_answer_becomes_a_demo_from_the_threshold_on(knn):
    half = tickets_spec(metric=f"{__name__}:half").metric
    augmented = [
        [demo for demo in states(knn, settings, metric=half)[0][1]["sort"]["demos"] if demo.get("augmented")]
        for settings in (SETTINGS, SETTINGS.model_copy(update={"bootstrap_threshold_ppm": 500_000}))
    ]
    assert [len(demos) for demos in augmented] == [0, 3]


def half(example, prediction, trace=None):
    return 0.5


def test_a_teacher_teaches_with_its_own_demos(knn):
    with task_on(knn) as task:
        teacher = task.student.deepcopy()
        teacher.sort.demos = [example for example in task.trainset if example.team == "praise"]
    demos = states(knn, SETTINGS, teacher=teacher)[0][1]["sort"]["demos"]
    assert {demo["team"] for demo in demos if demo.get("augmented")} == {"praise"}
    assert all(prompt.count("Team: praise") >= len(teacher.sort.demos) - 1 for prompt in knn.prompts)


def test_callbacks_and_labels_reach_every_thread(knn):
    from dspy.utils.callback import BaseCallback

    class Counting(BaseCallback):
        calls = 0

        def on_lm_start(self, call_id, instance, inputs):
            self.calls += 1

    counting = Counting()
    with task_on(knn, callbacks=(counting,)) as task, task.lm.counting("here"):
        ours(task, SETTINGS)
        assert counting.calls == task.lm.spent_by()["here"].calls == task.lm.spent.calls > 0
