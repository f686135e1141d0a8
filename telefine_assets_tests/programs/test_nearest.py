"""Demos chosen for each call, without changing what calls share."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from telefine_assets.programs.nearest import KNN, Pool, demos_shown, wrapped
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.versions import make_version
from telefine_assets_tests.knn_lm import MODEL
from telefine_assets_tests.programs.examples import items, opened, tickets_spec
from telefine_assets_tests.programs.tickets import WORDS

SPEC = tickets_spec()
STRATEGY = {"strategy": KNN, "k": 2}


def pooled(count=30):
    module = SPEC.build()
    module.sort.demos = [item.example() for item in items(count)]
    return module


def shown(prompt):
    return prompt.split("\n\n")[1:-1]


def test_the_nearest_come_first_and_ties_in_the_pools_order():
    demos = [{"text": text, "other": text} for text in ("blue sea", "red fire", "red fires", "red fire")]
    nearest = Pool(demos, ["text"]).nearest({"text": "red fire"}, 3)
    assert [id(each) for each in nearest] == [id(demos[at]) for at in (1, 3, 2)]
    alike = [{"text": f"{'red' if at % 3 else 'blue'} fire", "at": at} for at in range(200)]
    assert [each["at"] for each in Pool(alike, ["text"]).nearest({"text": "blue fire"}, 67)] == list(range(0, 200, 3))


def test_only_input_fields_count_and_any_value_has_a_text():
    demos = [{"n": 1, "label": "forty two"}, {"n": [42, None], "label": "x"}, {"label": "no input"}]
    assert Pool(demos, ["n"]).nearest({"n": [42, None], "label": "forty two"}, 1) == [demos[1]]
    assert Pool([], ["n"]).nearest({"n": 1}, 3) == []
    assert Pool(demos, ["n"]).nearest({}, 5) == Pool(demos, ["n"]).nearest({"n": ""}, 5)


def test_no_script_is_without_neighbours():
    demos = [{"text": "昨日は雨が降りました"}, {"text": "料金の支払い方法を教えてください"}]
    assert Pool(demos, ["text"]).nearest({"text": "支払い方法は何ですか"}, 1) == [demos[1]]


def test_a_call_shows_its_nearest_demos_and_leaves_the_pool_alone(knn):
    module = wrapped(pooled(), STRATEGY)
    before = dump_state(module)
    with opened(knn) as lm, lm.context():
        assert module(ticket="hello team invoice charged refund card #1").team == "billing"
    (prompt,) = knn.prompts
    assert len(shown(prompt)) == 2
    assert all(set(WORDS["billing"]) & set(each.split()) for each in shown(prompt))
    assert dump_state(module) == before == dump_state(pooled())


def test_calls_of_many_threads_and_of_a_loop_get_their_own_demos(knn):
    import dspy

    module = wrapped(pooled(), STRATEGY)
    tickets = [item.inputs["ticket"] for item in items(24, 600)]

    def ask(lm, ticket):
        with lm.context():
            return module(ticket=ticket).team

    async def ask_all(lm):
        direct = dspy.LM(MODEL, api_base=knn.api_base, api_key="any", cache=False)
        with lm.context(), dspy.context(lm=direct):
            return [(await module.sort.acall(ticket=ticket)).team for ticket in tickets]

    with opened(knn) as lm:
        one_by_one = [ask(lm, ticket) for ticket in tickets]
        alone = sorted(knn.prompts)
        knn.prompts.clear()
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda ticket: ask(lm, ticket), tickets)) == one_by_one
        assert sorted(knn.prompts) == alone
        assert asyncio.run(ask_all(lm)) == one_by_one


def test_demos_that_are_replaced_make_a_new_pool(knn):
    module = wrapped(pooled(), STRATEGY)
    with opened(knn) as lm, lm.context():
        module(ticket="hello team password login #1")
        module.sort.demos = module.sort.demos[:1]
        module.deepcopy()(ticket="hello team password login #1")
    assert [len(shown(prompt)) for prompt in knn.prompts] == [2, 1]


def test_every_predictor_of_a_program_chooses_by_its_own_inputs():
    import dspy

    module = wrapped(dspy.ReAct("question -> answer", tools=[]), STRATEGY)
    assert {type(each).__name__ for _, each in module.named_predictors()} == {"NearestPredict"}
    assert [name for name, _ in module.named_predictors()] == ["react", "extract.predict"]
    bare = wrapped(dspy.Predict("question -> answer"), STRATEGY)
    assert isinstance(bare, dspy.Predict) and bare.k == 2


def test_other_strategies_change_nothing():
    module = pooled()
    assert wrapped(module, {"strategy": "bootstrap_few_shot"}) is module
    assert type(module.sort).__name__ == "Predict"


@pytest.mark.parametrize(("strategy", "prompts"), [(STRATEGY, 2), ({"strategy": "labeled_few_shot"}, 30)])
def test_a_version_is_called_as_its_strategy_says(knn, strategy, prompts):
    version = make_version(SPEC, dump_state(pooled()), strategy, "a" * 64, {"model": "m"})
    with opened(knn) as lm, lm.context():
        version.module(SPEC)(ticket="hello team invoice charged refund card #1")
    assert len(shown(knn.prompts[0])) == prompts == demos_shown(version.state, strategy)
