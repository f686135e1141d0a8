"""What serves of one program teaches another, and nothing that the other holds out comes with it."""

import json

import pytest

from telefine_assets.canonical import sha256_hex
from telefine_assets.programs.compiling import CANDIDATE, Models, compile_day, compile_record
from telefine_assets.programs.entries import Earlier
from telefine_assets.programs.spec import ProgramError
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.teaching import Teacher, check_can_teach
from telefine_assets.programs.tournament import TournamentError
from telefine_assets.programs.versions import first_version, make_version
from telefine_assets.settings_compile import BootstrapFewShotSettings
from telefine_assets.traces.clusters import cluster_of
from telefine_assets_tests.programs import teachers
from telefine_assets_tests.programs.examples import (
    KEY,
    LABELED,
    cleaned_tickets,
    compile_settings,
    opened,
    tickets_spec,
)
from telefine_assets_tests.programs.strategies.tasks import two_steps
from telefine_assets_tests.programs.teachers import first_step_knows, spec_of
from telefine_assets_tests.programs.tickets import right_team

SPEC, STEPS = tickets_spec(), spec_of(two_steps)
CLEANED = cleaned_tickets(200)
TRAIN = {json.loads(each.inputs)["ticket"]: each for each in CLEANED if each.split == "train"}
HELD = [json.loads(each.inputs)["ticket"] for each in CLEANED if each.split == "holdout"]
ENOUGH = 12
TAUGHT = BootstrapFewShotSettings(max_bootstrapped_demos=ENOUGH, max_labeled_demos=ENOUGH)


def taught_by(knn, teacher, spec=SPEC, strategies=(TAUGHT,), said=None, **changes):
    """A compile of ``spec`` that ``teacher`` teaches."""
    with opened(knn) as lm:
        return compile_day(
            spec,
            CLEANED,
            first_version(spec, lm.identity),
            compile_settings(strategies=list(strategies), **changes),
            KEY,
            Models(lm),
            Earlier(),
            (said if said is not None else []).append,
            teacher=teacher,
        )


def first_of(spec):
    return Teacher(spec, first_version(spec, {}))


def with_demos(texts, instructions="Say which team the ticket belongs to.", spec=SPEC):
    """A teacher of one predictor that has these tickets as demos."""
    import dspy

    module = spec.build().reset_copy()
    module.sort.demos = [dspy.Example(ticket=text, team=right_team(text)) for text in texts]
    module.sort.signature = module.sort.signature.with_instructions(instructions)
    return Teacher(spec, make_version(spec, dump_state(module), {"strategy": "by hand"}, "", {}), "2026-11-01")


def augmented(result):
    (part,) = json.loads(result.candidate.document)["state"].values()
    return [demo for demo in part["demos"] if demo.get("augmented")]


def tickets_in(prompts):
    lines = (line for prompt in prompts for line in prompt.splitlines())
    return {line.removeprefix("Ticket: ") for line in lines if line.startswith("Ticket: ")}


def test_a_program_of_other_steps_teaches_by_its_answers(knn):
    knn.instead = first_step_knows
    result = taught_by(knn, first_of(STEPS))
    assert result.outcome == CANDIDATE
    assert len(augmented(result)) == ENOUGH
    assert any(prompt.endswith("Topic:") for prompt in knn.prompts), "the teacher took its own steps"
    for demo in augmented(result):
        assert demo["team"] == right_team(demo["ticket"])
        assert TRAIN[demo["ticket"]]
    assert {demo.trace_id for demo in result.demos} <= {each.trace_id for each in TRAIN.values()}


def test_the_record_and_the_version_name_the_teacher(knn):
    knn.instead = first_step_knows
    teacher, evidence = first_of(STEPS), {}
    result = taught_by(knn, teacher)
    identity = {"program": "senior", "version": teacher.version.digest, "code": STEPS.code_digest}
    assert json.loads(result.candidate.document)["strategy"]["teacher"] == identity

    def put(content):
        evidence[sha256_hex(content)] = content
        return sha256_hex(content)

    record = compile_record(result, {}, put)
    assert record["teacher"] == {**identity, "since": None}
    assert evidence[teacher.version.digest] == teacher.version.document
    assert taught_by(knn, teacher).to_record({}) == result.to_record({})


def test_a_strategy_that_asks_no_teacher_makes_the_version_that_it_makes_without(knn):
    alone = taught_by(knn, None, strategies=[LABELED])
    assert taught_by(knn, with_demos(TRAIN), strategies=[LABELED]).candidate == alone.candidate
    assert alone.to_record({})["teacher"] is None


def test_what_the_student_holds_out_is_not_asked_with_and_in_no_demo(knn):
    """Both programs serve the same people: half of what the teacher learnt from is held out here."""
    known = [*HELD[:20], *list(TRAIN)[:20]]
    result = taught_by(knn, with_demos(known))
    assert len(augmented(result)) == ENOUGH
    assert not tickets_in(knn.prompts) & {*HELD}
    assert tickets_in(knn.prompts) & {*known}, "it taught with what was left"
    held = {cluster_of({"ticket": text}) for text in HELD}
    assert not {demo.content for demo in result.demos} & held
    assert all(TRAIN[demo["ticket"]] for demo in augmented(result))


def test_a_teacher_is_not_shown_the_very_question_with_its_answer(knn):
    taught_by(knn, with_demos(list(TRAIN)[:40]), max_validation=20)
    for prompt in knn.prompts:
        *shown, question = prompt.split("\n\n")
        ticket = question.split("\n")[0]
        assert not [demo for demo in shown if ticket in demo.split("\n")]


def test_instructions_that_quote_what_is_held_out_teach_nobody(knn):
    hostile = with_demos([], instructions=f"If it says {HELD[3].upper()!r}, answer well.")
    with pytest.raises(ProgramError, match=r"its instructions quote an input .* give both programs the same split"):
        taught_by(knn, hostile)
    assert not tickets_in(knn.prompts) & {*HELD}


@pytest.mark.parametrize(
    ("teacher", "student"),
    [(teachers.Quoting, teachers.reasoning_student), (teachers.AskingMore, two_steps)],
)
def test_a_teacher_whose_code_hands_on_what_is_held_out_makes_nothing_that_is_shipped(knn, teacher, student):
    knn.instead = first_step_knows
    teachers.HELD_OUT[:] = HELD[5:6]
    spec = spec_of(student, "tickets")
    with pytest.raises(TournamentError, match="quotes an input that is held out"):
        taught_by(knn, first_of(spec_of(teacher)), spec)


def test_the_steps_of_the_same_predictors_are_taught_whatever_the_instructions(knn):
    knn.instead = lambda prompt: first_step_knows(prompt) if "another way" in prompt or "Team:" not in prompt else None
    module = two_steps()
    module.team.signature = module.team.signature.with_instructions("Quite another way to put it.")
    teacher = Teacher(STEPS, make_version(STEPS, dump_state(module), {"strategy": "by hand"}, "", {}))
    result = taught_by(knn, teacher, spec_of(two_steps, "tickets"))
    assert [len(part["demos"]) for part in json.loads(result.candidate.document)["state"].values()] == [ENOUGH, ENOUGH]
    assert any("Quite another way to put it." in prompt for prompt in knn.prompts)


def test_a_student_that_is_nothing_but_a_predictor_is_taught(knn):
    knn.instead = first_step_knows
    result = taught_by(knn, first_of(STEPS), spec_of(teachers.bare, "tickets"))
    assert len(augmented(result)) == ENOUGH


@pytest.mark.parametrize(
    ("teacher", "student", "said"),
    [
        (teachers.AskingForMore, SPEC, "it is called with customer, which tickets is not; a teacher may be called with "
         "ticket only"),
        (teachers.summary, SPEC, "it does not answer team, which tickets answers"),
        (teachers.bare, spec_of(two_steps, "tickets"), "tickets has 2 predictors, which only a program with the same "
         "ones can teach"),
    ],
)  # fmt: skip
def test_a_teacher_must_cover_the_students_fields(teacher, student, said):
    with pytest.raises(ProgramError) as caught:
        check_can_teach(spec_of(teacher), student)
    assert str(caught.value).startswith("programs.tickets.compile.teacher_program = 'senior': ")
    assert said in str(caught.value)
