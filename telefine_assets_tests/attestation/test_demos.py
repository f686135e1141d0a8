"""Whatever DSPy makes of demos, the evidence shows whose they are; and nobody else's pass for them."""

import json

import dspy
import pytest

from telefine_assets.attestation.files import CANDIDATE, DEMOS, TRAINSET, EvidenceContradiction, check_demos
from telefine_assets.attribution.addresses import ZERO_ADDRESS
from telefine_assets.attribution.arrivals import Register
from telefine_assets.attribution.facts import FACTS_FILE, recompute_weights
from telefine_assets.attribution.submissions import Scope
from telefine_assets.attribution.weighing import weigh
from telefine_assets.canonical import canonical_json, canonical_lines
from telefine_assets.programs.choosing import Contender
from telefine_assets.programs.compiling import CANDIDATE as FOUND
from telefine_assets.programs.compiling import Compiled
from telefine_assets.programs.provenance import demos_of
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.tournament import Tournament
from telefine_assets.programs.versions import make_version
from telefine_assets.programs.witness import Witness
from telefine_assets_tests.programs.samples import SAMPLES
from telefine_assets_tests.scripted_lm import ScriptedLm


class Given:
    """An item as a cleaned trace of the window."""

    def __init__(self, item):
        self.trace_id, self.cluster, self.content, self.arrival_ms = (
            item.trace_id,
            item.cluster,
            item.content,
            item.arrival_ms,
        )
        self.contributor, self.contributor_reason = item.contributor, None if item.contributor else "missing"


def bootstrapped(sample, train):
    witness = Witness(train, ())
    optimiser = dspy.BootstrapFewShot(max_bootstrapped_demos=2, max_labeled_demos=4)
    with ScriptedLm(sample.rule).context(witness):
        module = optimiser.compile(sample.spec.build(), trainset=[item.example() for item in train])
    state = dump_state(module)
    return state, demos_of(sample.spec, state, train, witness)


def evidence(sample, state, demos, window):
    """The evidence files that speak of demos, as compiling and weighing write them."""
    version = make_version(sample.spec, state, {"strategy": "bootstrap_few_shot"}, "t", {"model": "m"})
    winner = Contender("1-bootstrap", {}, state, demos=demos)
    compiled = Compiled(FOUND, "", version, version, window, [], Tournament(winner, [], None))
    records = [demo.to_record() for demo in demos]
    register = Register(Scope("shop", sample.spec.name), lambda digests: [])
    return {
        CANDIDATE: version.document,
        DEMOS: compiled.demos_document(),
        TRAINSET: compiled.trainset_document(),
        FACTS_FILE: weigh(records, [Given(item) for item in window], register).facts,
    }


def check(files):
    check_demos(files, json.loads(files[CANDIDATE]))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_programs_of_every_shape_can_be_attested(sample):
    train = sample.items(8)
    state, demos = bootstrapped(sample, train)
    assert demos
    check(evidence(sample, state, demos, train))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_inherited_demos_whose_traces_have_left_the_window_are_paid_to_who_gave_them(sample):
    state, demos = bootstrapped(sample, sample.items(8))
    later = sample.items(8, 300)
    inherited = demos_of(sample.spec, state, later, Witness(later, ()), inherited=demos)
    files = evidence(sample, state, inherited, later)
    check(files)
    table = recompute_weights(files[FACTS_FILE])
    assert {line.address for line in table.lines} == {demo.contributor for demo in demos} - {ZERO_ADDRESS}


@pytest.fixture(scope="module")
def honest():
    sample = next(each for each in SAMPLES if each.name == "thoughtful")
    train = sample.items(8)
    state, demos = bootstrapped(sample, train)
    return evidence(sample, state, demos, train)


def another_output(files, demos):
    candidate = json.loads(files[CANDIDATE])
    part = next(part for part in candidate["state"].values() if part["demos"])
    part["demos"][0] = {**part["demos"][0], "team": "another"}
    files[CANDIDATE] = canonical_json(candidate)


def swapped(files, demos):
    first, second = demos[0], demos[1]
    first["position"], second["position"] = second["position"], first["position"]


def another_predictor(files, demos):
    demos[0]["predictor"] = "other"


def one_left_out(files, demos):
    del demos[0]


def given_by_another(files, demos):
    """All records agree that a demo is of another trace, whose inputs it does not show."""
    lines = [json.loads(line) for line in files[TRAINSET].splitlines()]
    facts = json.loads(files[FACTS_FILE])
    shown = {demo["trace_id"] for demo in demos}
    mine, other = demos[0]["trace_id"], next(line for line in lines if line["trace_id"] not in shown)
    names = ("trace_id", "cluster", "content", "trace_digest", "contributor")
    for demo in demos:
        if demo["trace_id"] == mine:
            demo |= {name: other[name] for name in names}
    for demo in facts["demos"]:
        if demo["trace_id"] == mine:
            demo |= {name: other[name] for name in ("trace_id", "cluster")}
    row = next(row for row in facts["arrivals"] if row["trace_id"] == mine)
    facts["arrivals"].append(row | {name: other[name] for name in ("trace_id", "cluster", "content", "contributor")})
    files[FACTS_FILE] = canonical_json(facts)
    files[TRAINSET] = canonical_lines(lines)


@pytest.mark.parametrize("forge", [another_output, swapped, another_predictor, one_left_out, given_by_another])
def test_a_demo_that_is_not_what_its_record_says_is_refused(honest, forge):
    files = dict(honest)
    demos = json.loads(files[DEMOS])
    forge(files, demos)
    files[DEMOS] = canonical_json(demos)
    with pytest.raises(EvidenceContradiction, match=r"demos\.json"):
        check(files)
