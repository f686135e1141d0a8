"""What serves of one program teaches another, and nothing that the other holds out comes with it."""

import json
from dataclasses import replace

import pytest

from telefine_assets.canonical import sha256_hex
from telefine_assets.programs import entries
from telefine_assets.programs.compiling import CANDIDATE, Models, compile_day, compile_record
from telefine_assets.programs.entries import Earlier
from telefine_assets.programs.spec import ProgramError
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.strategies import propose
from telefine_assets.programs.teaching import Teacher, check_can_teach
from telefine_assets.programs.versions import first_version, make_version
from telefine_assets.settings.compile import BootstrapFewShotSettings
from telefine_assets.settings.traces import NearDuplicateSettings
from telefine_assets.traces.clusters import cluster_of
from telefine_assets_tests.programs import teachers
from telefine_assets_tests.programs.examples import (
    KEY,
    LABELED,
    cleaned_tickets,
    cleaned_trace,
    compile_settings,
    opened,
    program_settings,
    tickets_spec,
)
from telefine_assets_tests.programs.strategies.tasks import two_steps
from telefine_assets_tests.programs.teachers import first_step_knows, spec_of
from telefine_assets_tests.programs.tickets import right_team, tickets

SPEC, STEPS = tickets_spec(), spec_of(two_steps)
CLEANED = cleaned_tickets(200)
TRAIN = {json.loads(each.inputs)["ticket"]: each for each in CLEANED if each.split == "train"}
HELD = [json.loads(each.inputs)["ticket"] for each in CLEANED if each.split == "holdout"]
ENOUGH, NOTHING, NEAR = 12, Earlier(), NearDuplicateSettings()
TAUGHT = BootstrapFewShotSettings(max_bootstrapped_demos=ENOUGH, max_labeled_demos=ENOUGH)


def held_out(inputs):
    """A trace that is held out, whatever its content says."""
    trace = cleaned_trace(f"tr-{cluster_of(inputs)}", inputs, {"team": "billing"}, 9_000, program_settings().split)
    return replace(trace, split="holdout")


def taught_by(
    knn, teacher, spec=SPEC, strategies=(TAUGHT,), said=None, cleaned=CLEANED, earlier=NOTHING, near=NEAR, **changes
):
    """A compile of ``spec`` that ``teacher`` teaches."""
    with opened(knn) as lm:
        return compile_day(
            spec,
            cleaned,
            first_version(spec, lm.identity),
            compile_settings(strategies=list(strategies), **changes),
            KEY,
            Models(lm),
            earlier,
            (said if said is not None else []).append,
            teacher=teacher,
            near=near,
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


def test_instructions_that_quote_what_is_held_out_teach_nobody_and_the_others_compete(knn):
    hostile = with_demos([], instructions=f"If it says {HELD[3].upper()!r}, answer well.")
    result = taught_by(knn, hostile, strategies=[TAUGHT, LABELED])
    errors = {each.name: each.error for each in result.standings}
    assert "its instructions quote an input that the student holds out" in errors["1-bootstrap_few_shot"]
    assert result.tournament.winner.name == "2-labeled_few_shot/labeled"
    assert not tickets_in(knn.prompts) & {*HELD}


def test_a_ticket_that_quotes_the_first_instructions_of_both_programs_stops_nothing(knn):
    """Whoever writes a ticket may know them: what stands there is no secret."""
    (first,) = [part["signature"]["instructions"] for part in dump_state(SPEC.build()).values()]
    quoting = [held_out({"ticket": first.upper()}), held_out({"ticket": "name the team of this ticket"})]
    result = taught_by(knn, with_demos(list(TRAIN)[:40]), cleaned=[*CLEANED, *quoting[:1]])
    assert len(augmented(result)) == ENOUGH
    teacher = first_of(spec_of(teachers.instructed))
    knn.instead = lambda prompt: right_team(prompt.split("\n\n")[-1]) if "Name the team" in prompt else None
    result = taught_by(knn, teacher, cleaned=[*CLEANED, *quoting[1:]])
    assert len(augmented(result)) == ENOUGH


def test_an_answer_may_quote_the_students_own_instructions(knn):
    teachers.HELD_OUT[:] = ["Say which team the ticket belongs to, and why"]
    knn.instead = teachers.demos_know
    student, teacher = spec_of(teachers.reasoning_student, "tickets"), first_of(spec_of(teachers.Quoting))
    result = taught_by(knn, teacher, student, cleaned=[*CLEANED, held_out({"ticket": teachers.HELD_OUT[0]})])
    assert len(augmented(result)) == ENOUGH


def test_a_ticket_that_stands_in_those_of_others_stops_nothing(knn):
    """It may be the beginning of many: then it says nothing of what is held out."""
    begun = [text for text in TRAIN if text.startswith("quick question invoice charged")]
    quoting = held_out({"ticket": "quick question invoice charged"})
    assert begun
    teacher = with_demos(list(TRAIN)[:40])
    assert len(augmented(taught_by(knn, teacher, cleaned=[*CLEANED, quoting]))) == ENOUGH


@pytest.mark.parametrize(
    ("teacher", "student"),
    [(teachers.Quoting, teachers.reasoning_student), (teachers.AskingMore, two_steps)],
)
def test_answers_that_hand_on_what_is_held_out_become_no_demo(knn, teacher, student):
    knn.instead = first_step_knows
    teachers.HELD_OUT[:] = HELD[5:6]
    result = taught_by(knn, first_of(spec_of(teacher)), spec_of(student, "tickets"))
    assert not [each.error for each in result.standings if each.error]
    assert not [demo for demo in result.demos if demo.augmented]
    assert HELD[5] not in json.dumps(result.to_record({})).casefold()


def test_an_answer_that_hands_on_what_is_held_out_costs_one_demo(knn):
    """The reason given for some tickets quotes another one, which arrives in the window or does not."""
    teachers.HELD_OUT[:] = ["please do tell me whether anybody reads this"]
    student, teacher = spec_of(teachers.reasoning_student, "tickets"), first_of(spec_of(teachers.QuotingOnce))
    knn.instead = teachers.demos_know
    alone = taught_by(knn, teacher, student)
    quoted = [each for each in TRAIN if "invoice" in each]
    assert {demo["ticket"] for demo in augmented(alone)} & {*quoted}
    result = taught_by(knn, teacher, student, cleaned=[*CLEANED, held_out({"ticket": teachers.HELD_OUT[0]})])
    assert len(augmented(result)) == ENOUGH
    assert not {demo["ticket"] for demo in augmented(result)} & {*quoted}


def test_near_copies_of_what_is_held_out_are_not_asked_with(knn):
    """The cluster index takes them for the same input."""
    asks = "and please answer soon, we have been waiting for it since monday and nobody has called us back"
    held = [held_out({"ticket": f"{text} {asks}"}) for text, _ in tickets(20, 500)]
    near = [json.loads(each.inputs)["ticket"].replace("please", "pls") for each in held]
    taught_by(knn, with_demos([*near, *list(TRAIN)[:20]]), cleaned=[*CLEANED, *held])
    assert not tickets_in(knn.prompts) & {*near}
    knn.prompts.clear()
    taught_by(knn, with_demos([*near]), cleaned=[*CLEANED, *held], near=NearDuplicateSettings(enabled=False))
    assert tickets_in(knn.prompts) & {*near}, "who switches near-copies off has none"


def test_an_earlier_candidate_that_was_taught_does_not_compete_with_what_is_held_out_since(knn):
    """Yesterday nobody had sent that text; today it is held out."""
    teachers.HELD_OUT[:] = HELD[5:6]
    spec, teacher = spec_of(teachers.reasoning_student, "tickets"), first_of(spec_of(teachers.Quoting))
    knn.instead = teachers.demos_know
    before = [each for each in CLEANED if json.loads(each.inputs)["ticket"] != HELD[5]]
    yesterday = taught_by(knn, teacher, spec, cleaned=before)
    assert augmented(yesterday)
    earlier = Earlier(previous=yesterday.candidate, inherited=yesterday.demos)
    for taught in (teacher, None):
        today = taught_by(knn, taught, spec, [LABELED, TAUGHT], cleaned=CLEANED, earlier=earlier)
        (error,) = [each.error for each in today.standings if each.name == "previous"]
        assert "a demo shows an input that is held out" in error
    fine = taught_by(knn, teacher, spec, [LABELED, TAUGHT], cleaned=before, earlier=earlier)
    assert [each.error for each in fine.standings if each.name == "previous"] == [None]


def test_a_candidate_that_was_taught_teaches_nobody_on(knn):
    """What it shows could be held out later, and its own pupils do not name the first teacher."""
    knn.instead = first_step_knows
    yesterday = taught_by(knn, first_of(STEPS))
    said = []
    earlier = Earlier(previous=yesterday.candidate, inherited=yesterday.demos)
    taught_by(knn, None, earlier=earlier, said=said, incremental={"teacher": True})
    assert "the latest candidate cannot teach: another program taught it" in said


def test_a_strategy_that_does_not_say_that_it_bootstraps_is_given_no_teacher(knn, monkeypatch):
    """Its version would not name the one that taught it."""
    given = []

    def watched(settings, task):
        given.append(task.teacher)
        return propose(settings, task)

    monkeypatch.setattr(entries, "propose", watched)
    taught_by(knn, with_demos(list(TRAIN)[:20]), strategies=[LABELED, TAUGHT])
    assert [each is None for each in given] == [True, False]


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
