"""Every demo of a compiled program leads to the trace that it shows."""

import dspy
import pytest

from telefine_assets.programs.provenance import demos_of
from telefine_assets.programs.spec import ProgramError
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.strategies import Task, run_strategy
from telefine_assets_tests.programs.examples import BOOTSTRAP, LABELED, SEARCH, items, opened, tickets_spec

SPEC = tickets_spec()


@pytest.mark.parametrize("strategy", [LABELED, BOOTSTRAP, SEARCH], ids=lambda each: each.strategy)
def test_every_demo_that_a_strategy_chooses_leads_to_its_trace(knn, strategy):
    train = items(40)
    with opened(knn) as lm:
        examples = [item.example() for item in train]
        module = run_strategy(strategy, Task(SPEC.build(), examples, examples[:10], SPEC.metric, lm))
    demos = demos_of(SPEC, dump_state(module), train)
    by_id = {item.trace_id: item for item in train}
    assert len(demos) == len(module.sort.demos) > 2
    for demo, shown in zip(demos, module.sort.demos, strict=True):
        item = by_id[demo.trace_id]
        assert item.inputs == {"ticket": shown["ticket"]}
        assert (demo.cluster, demo.trace_digest, demo.contributor) == (
            item.cluster,
            item.trace_digest,
            item.contributor,
        )
        assert demo.augmented == bool(shown.get("augmented"))


def test_a_demo_is_known_by_what_it_shows_whatever_its_case_and_white_space():
    train = items(3)
    module = SPEC.build()
    module.sort.demos = [dspy.Example(ticket=f"  {train[1].inputs['ticket'].upper()} ", team="x")]
    (demo,) = demos_of(SPEC, dump_state(module), train)
    assert demo.trace_id == train[1].trace_id


def test_a_program_with_a_demo_of_unknown_origin_is_refused():
    with pytest.raises(ProgramError, match="demo 0 of sort comes from no trace"):
        demos_of(SPEC, dump_state(SPEC.build()), items(10))


def test_a_program_without_demos_owes_nothing_to_anybody():
    module = SPEC.build()
    module.sort.demos = []
    assert demos_of(SPEC, dump_state(module), items(3)) == []
