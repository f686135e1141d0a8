"""Programs of every shape compile: demos lead to their traces, and states come back as they were."""

import json
import re

import dspy
import pytest

from telefine_assets.canonical import canonical_json
from telefine_assets.programs.provenance import demos_of
from telefine_assets.programs.spec import ProgramError
from telefine_assets.programs.state import check_state, dump_state, load_state
from telefine_assets.programs.witness import Witness
from telefine_assets_tests.programs.samples import SAMPLES, Sample, Ticket
from telefine_assets_tests.scripted_lm import ScriptedLm

TRAIN, VALIDATION = 14, 4
STRATEGIES = ("bootstrap", "labeled", "search")

each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


def compiled(sample: Sample, strategy: str):
    """A compiled module, its items and what a witness saw of the work."""
    spec, train, val = sample.spec, sample.items(TRAIN), sample.items(VALIDATION, 500)
    witness = Witness(train, val)
    examples, held = ([item.example() for item in some] for some in (train, val))

    def right(example, prediction, trace=None):
        return all(prediction[name] == value for name, value in example.labels().items())

    bootstrap = {"metric": right, "max_bootstrapped_demos": 3, "max_labeled_demos": 6}
    with ScriptedLm(sample.rule).context(witness):
        if strategy == "labeled":
            module = dspy.LabeledFewShot(k=8).compile(spec.build(), trainset=examples)
        elif strategy == "bootstrap":
            module = dspy.BootstrapFewShot(**bootstrap).compile(spec.build(), trainset=examples)
        else:
            search = dspy.BootstrapFewShotWithRandomSearch(**bootstrap, num_candidate_programs=2, num_threads=4)
            module = search.compile(spec.build(), trainset=examples, valset=held)
    return spec, module, train, witness


@each_strategy
@each_sample
def test_every_demo_leads_to_the_trace_that_it_was_made_of(sample, strategy):
    spec, module, train, witness = compiled(sample, strategy)
    state = dump_state(module)
    demos = demos_of(spec, state, train, witness)
    assert len(demos) == sum(len(part["demos"]) for part in state.values())
    by_id = {item.trace_id: item for item in train}
    for demo in demos:
        item, shown = by_id[demo.trace_id], state[demo.predictor]["demos"][demo.position]
        assert (demo.content, demo.trace_digest, demo.contributor) == (
            item.content,
            item.trace_digest,
            item.contributor,
        )
        # Every ticket has its number in its text, and so has what is made of it on the way.
        assert set(re.findall(r"#\d+", json.dumps(shown))) <= {f"#{demo.trace_id.removeprefix('tr-')}"}
    if strategy == "bootstrap":
        augmented = {name for name, part in state.items() if any(each.get("augmented") for each in part["demos"])}
        assert augmented == set(spec.signatures), "each inner predictor has demos of its own making"


@each_strategy
@each_sample
def test_a_state_is_json_that_asks_what_the_module_asked(sample, strategy):
    spec, module, _, _ = compiled(sample, strategy)
    state = dump_state(module)
    check_state(spec, state)
    loaded = load_state(spec, json.loads(canonical_json(state)))
    assert canonical_json(dump_state(loaded)) == canonical_json(state)
    asked = [_prompts(sample, each) for each in (module, loaded)]
    assert asked[0] == asked[1]
    assert len(asked[0]) >= 2


def _prompts(sample: Sample, module) -> list[str]:
    lm = ScriptedLm(sample.rule)
    with lm.context():
        for item in sample.items(2, 900):
            module(**item.example().inputs())
    return lm.prompts


@each_sample
def test_labels_of_traces_are_right_when_the_program_gives_them(sample):
    spec = sample.spec
    with ScriptedLm(sample.rule).context():
        for item in sample.items(3):
            example = item.example()
            assert spec.metric.ppm(example, spec.build()(**example.inputs())) == 1_000_000


@each_sample
def test_a_demo_that_no_item_or_witness_knows_of_is_refused(sample):
    spec, module, train, witness = compiled(sample, "bootstrap")
    state = dump_state(module)
    hidden = [name for name, part in state.items() if not _shows_inputs(spec, part)]
    if hidden:
        with pytest.raises(ProgramError, match=f"of {hidden[0]} comes from no trace"):
            demos_of(spec, state, train)
    others = sample.items(TRAIN, 2000)
    with pytest.raises(ProgramError, match="comes from no trace"):
        demos_of(spec, state, others, witness)


def _shows_inputs(spec, part) -> bool:
    return all(set(spec.fields.inputs) <= set(demo) for demo in part["demos"])


def test_a_program_gets_the_types_that_its_signature_names():
    typed = next(sample for sample in SAMPLES if sample.name == "typed")
    (item,) = typed.items(1)
    example = item.example()
    assert (type(item.inputs["ticket"]), item.label["share"], item.label["urgent"]) == (dict, "0.5", "yes")
    assert example.ticket == Ticket(text=item.inputs["ticket"]["text"])
    assert (example.share, example.urgent, example.note) == (0.5, True, None)
    assert example.verdict.team == item.label["team"]
