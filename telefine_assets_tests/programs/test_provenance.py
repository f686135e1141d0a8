"""Every demo of a compiled program leads to the trace that it shows."""

import json
from dataclasses import replace

import dspy
import pytest

from telefine_assets.programs.provenance import Demo, demos_of
from telefine_assets.programs.spec import ProgramError
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.witness import Witness
from telefine_assets_tests.programs.examples import items, tickets_spec
from telefine_assets_tests.programs.samples import SAMPLES
from telefine_assets_tests.scripted_lm import ScriptedLm

SPEC = tickets_spec()
FUNNEL = next(sample for sample in SAMPLES if sample.name == "funnel")
REWRITE = next(sample for sample in SAMPLES if sample.name == "rewrite")


def sorted_by(*demos):
    module = SPEC.build()
    module.sort.demos = list(demos)
    return dump_state(module)


def bootstrapped(sample, train, val=(), witness=None):
    """The state of a bootstrapped program, and the witness of it."""
    witness = witness or Witness(train, val)
    with ScriptedLm(sample.rule).context(witness):
        optimiser = dspy.BootstrapFewShot(max_bootstrapped_demos=4, max_labeled_demos=4)
        module = optimiser.compile(sample.spec.build(), trainset=[item.example() for item in [*val, *train]])
    return dump_state(module), witness


def test_labelled_demos_lead_to_their_traces_without_a_witness():
    train = items(40)
    module = dspy.LabeledFewShot(k=8).compile(SPEC.build(), trainset=[item.example() for item in train])
    by_id = {item.trace_id: item for item in train}
    demos = demos_of(SPEC, dump_state(module), train)
    assert len(demos) == len(module.sort.demos) == 8
    for demo, shown in zip(demos, module.sort.demos, strict=True):
        item = by_id[demo.trace_id]
        assert item.inputs == {"ticket": shown["ticket"]}
        assert (demo.content, demo.cluster, demo.trace_digest, demo.contributor) == (
            item.content,
            item.cluster,
            item.trace_digest,
            item.contributor,
        )
        assert demo.augmented is False


def test_a_demo_is_known_by_what_it_shows_whatever_its_case_and_white_space():
    train = items(3)
    state = sorted_by(dspy.Example(ticket=f"  {train[1].inputs['ticket'].upper()} ", team="x"))
    (demo,) = demos_of(SPEC, state, train)
    assert demo.trace_id == train[1].trace_id


def test_a_program_with_a_demo_of_unknown_origin_is_refused():
    with pytest.raises(ProgramError, match="demo 0 of sort comes from no trace"):
        demos_of(SPEC, dump_state(SPEC.build()), items(10))


def test_a_program_without_demos_owes_nothing_to_anybody():
    assert demos_of(SPEC, sorted_by(), items(3)) == []


def test_of_items_with_the_same_inputs_the_first_to_arrive_is_credited_in_whatever_order_they_come():
    one, other = items(2)
    later = replace(one, trace_id="tr-copy", contributor="0xcopy", arrival_ms=one.arrival_ms + 1)
    state = sorted_by(one.example())
    for train in ([one, later, other], [other, later, one]):
        assert [demo.trace_id for demo in demos_of(SPEC, state, train)] == [one.trace_id]
    tied = replace(later, arrival_ms=one.arrival_ms)
    assert [demo.trace_id for demo in demos_of(SPEC, state, [tied, one])] == ["tr-0"], "by trace id then"


def test_a_demo_that_only_a_validation_item_made_is_refused():
    state, witness = bootstrapped(REWRITE, REWRITE.items(6), REWRITE.items(4, 900))
    with pytest.raises(ProgramError, match="demo 0 of rewrite comes from no trace of the trainset"):
        demos_of(REWRITE.spec, state, REWRITE.items(6), witness)
    hop = {**state, "rewrite": {**state["rewrite"], "demos": []}}
    with pytest.raises(ProgramError, match="demo 0 of route comes from no trace of the trainset"):
        demos_of(REWRITE.spec, hop, REWRITE.items(6), witness)


def test_a_bootstrapped_demo_that_reads_like_another_items_input_belongs_to_the_item_that_made_it():
    class Forwards(dspy.Module):
        def __init__(self):
            super().__init__()
            self.sort = dspy.Predict("ticket -> team")

        def forward(self, ticket):
            return self.sort(ticket=train[1].inputs["ticket"])

    train = items(2)
    witness = Witness(train)
    with ScriptedLm(REWRITE.rule).context(witness):
        prediction = Forwards()(ticket=train[0].inputs["ticket"])
    demo = dspy.Example(ticket=train[1].inputs["ticket"], team=prediction.team)
    traced = [demos_of(SPEC, sorted_by(each), train, witness)[0].trace_id for each in (demo.copy(augmented=True), demo)]
    assert traced == ["tr-0", "tr-1"]


def test_demos_of_an_earlier_version_keep_their_traces_when_these_have_left_the_window():
    old, new = REWRITE.items(6), REWRITE.items(6, 300)
    state, witness = bootstrapped(REWRITE, old)
    before = demos_of(REWRITE.spec, state, old, witness)
    records = [Demo(**json.loads(json.dumps(demo.to_record()))) for demo in before]
    assert records == before
    today = Witness(new)
    with pytest.raises(ProgramError, match="comes from no trace"):
        demos_of(REWRITE.spec, state, new, today)
    assert demos_of(REWRITE.spec, state, new, today, inherited=records) == before
    moved = {name: {**part, "demos": part["demos"][::-1]} for name, part in state.items()}
    assert [(each.trace_id, each.position) for each in demos_of(REWRITE.spec, moved, new, today, records)] == [
        (each.trace_id, len(state[each.predictor]["demos"]) - 1 - each.position)
        for name in state
        for each in reversed([demo for demo in before if demo.predictor == name])
    ]


def test_who_gave_an_inherited_demo_first_keeps_it_and_a_trace_that_is_still_there_is_read_anew():
    old = REWRITE.items(6)
    state, witness = bootstrapped(REWRITE, old)
    before = demos_of(REWRITE.spec, state, old, witness)
    copies = [replace(item, trace_id=f"{item.trace_id}-copy", contributor="0xcopy") for item in old]
    assert demos_of(REWRITE.spec, state, copies, Witness(copies), before) == before
    relabelled = [replace(item, trace_digest="new", quality_ppm=7) for item in old]
    after = demos_of(REWRITE.spec, state, relabelled, Witness(relabelled), before)
    assert after == [replace(demo, trace_digest="new", quality_ppm=7) for demo in before]


def test_an_inherited_demo_does_not_follow_its_traces_id_to_another_content():
    """Whoever logs an id again with another input would move the pay for what is shown to that input's cluster."""
    old = REWRITE.items(6)
    state, witness = bootstrapped(REWRITE, old)
    before = demos_of(REWRITE.spec, state, old, witness)
    others = REWRITE.items(6, 300)
    taken = [replace(other, trace_id=item.trace_id) for item, other in zip(old, others, strict=True)]
    assert demos_of(REWRITE.spec, state, taken, Witness(taken), before) == before


def test_an_inherited_record_vouches_for_that_very_demo_of_that_predictor_alone():
    old, new = REWRITE.items(6), REWRITE.items(6, 300)
    state, witness = bootstrapped(REWRITE, old)
    before = demos_of(REWRITE.spec, state, old, witness)
    state["route"]["demos"][0]["team"] = "praise" if state["route"]["demos"][0]["team"] != "praise" else "login"
    with pytest.raises(ProgramError, match="demo 0 of route comes from no trace"):
        demos_of(REWRITE.spec, state, new, None, before)


def test_a_labelled_demo_that_shows_a_part_of_the_inputs_needs_the_labels_to_fit_too():
    train = FUNNEL.items(12)
    module = dspy.LabeledFewShot(k=4).compile(FUNNEL.spec.build(), trainset=[item.example() for item in train])
    state = dump_state(module)
    for demo in demos_of(FUNNEL.spec, state, train):
        item = next(each for each in train if each.trace_id == demo.trace_id)
        shown = state[demo.predictor]["demos"][demo.position]
        assert shown == {"language": item.inputs["language"], "team": item.label["team"]}
    state["team.predict"]["demos"][0]["team"] = "nobody"
    with pytest.raises(ProgramError, match=r"demo 0 of team\.predict comes from no trace"):
        demos_of(FUNNEL.spec, state, train)
