"""A witness knows which item is behind what an optimiser makes, however the program is run."""

import asyncio
import contextvars
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import dspy
import pytest

from telefine_assets.programs.state import dump_state
from telefine_assets.programs.witness import Witness
from telefine_assets_tests.programs.samples import SAMPLES
from telefine_assets_tests.scripted_lm import ScriptedLm

SAMPLE = {sample.name: sample for sample in SAMPLES}
REWRITE, FUNNEL, ACTING = SAMPLE["rewrite"], SAMPLE["funnel"], SAMPLE["acting"]


def demos_in(trace):
    """The demos that DSPy's optimisers make of a trace, as a dumped state has them."""
    for predictor, inputs, outputs in trace:
        copy = predictor.deepcopy()
        copy.demos = [dspy.Example(augmented=True, **inputs, **outputs)]
        ((_, part),) = dump_state(copy).items()
        yield from part["demos"]


def run(module, item):
    """The demos of one run, in whatever thread this is."""
    with dspy.context(trace=[]):
        module(**item.example().inputs())
        return list(demos_in(dspy.settings.trace))


def check(witness, item, demos):
    assert len(demos) >= 2
    assert [witness.behind(demo) for demo in demos] == [item] * len(demos)


def nothing_left(witness):
    """Nothing of a call is kept but digests, so a witness does not grow with the length of a compile."""
    return witness._calls == {}


@pytest.mark.parametrize("sample", [REWRITE, ACTING], ids=lambda each: each.name)
def test_inner_calls_belong_to_the_item_in_threads_that_enter_the_context_anew(sample):
    items = sample.items(12)
    witness, module, lm = Witness(items), sample.spec.build(), ScriptedLm(sample.rule)

    def in_thread(item):
        with lm.context(witness):
            return run(module, item)

    with ThreadPoolExecutor(4) as pool:
        for item, demos in zip(items, pool.map(in_thread, items), strict=True):
            check(witness, item, demos)
    assert nothing_left(witness)


def test_inner_calls_belong_to_the_item_in_dspys_own_threads():
    items = REWRITE.items(12)
    witness, module = Witness(items), REWRITE.spec.build()
    with ScriptedLm(REWRITE.rule).context(witness):
        runs = dspy.Parallel(num_threads=4, disable_progress_bar=True)(
            [(lambda item=item: run(module, item), {}) for item in items]
        )
    for item, demos in zip(items, runs, strict=True):
        check(witness, item, demos)


class Spread(dspy.Module):
    """Calls its inner predictors in threads, by ``spread(functions)``."""

    def __init__(self, spread):
        super().__init__()
        self.short, self.team, self.spread = dspy.Predict("ticket -> summary"), dspy.Predict("summary -> team"), spread

    def forward(self, ticket):
        first, second = self.spread([lambda: self.short(ticket=ticket), lambda: self.team(summary=f"on {ticket}")])
        return dspy.Prediction(team=second.team, summary=first.summary)


def in_parallel(functions):
    return dspy.Parallel(num_threads=2, disable_progress_bar=True)([(lambda _=0, f=f: f(), {}) for f in functions])


def in_copied_contexts(functions):
    with ThreadPoolExecutor(2) as pool:
        return [each.result() for each in [pool.submit(contextvars.copy_context().run, f) for f in functions]]


@pytest.mark.parametrize("spread", [in_parallel, in_copied_contexts])
def test_inner_calls_belong_to_the_item_when_the_program_itself_uses_threads(spread):
    items = REWRITE.items(6)
    witness, module = Witness(items), Spread(spread)
    with ScriptedLm(REWRITE.rule).context(witness):
        for item in items:
            with dspy.context(trace=[]):
                module(**item.example().inputs())
                check(witness, item, list(demos_in(dspy.settings.trace)))


class Async(dspy.Module):
    def __init__(self):
        super().__init__()
        self.rewrite, self.route = dspy.Predict("ticket -> summary"), dspy.Predict("summary -> team")

    async def aforward(self, ticket):
        return await self.route.acall(summary=(await self.rewrite.acall(ticket=ticket)).summary)


def test_inner_calls_belong_to_the_item_in_async_tasks_that_run_at_once():
    items = REWRITE.items(8)
    witness, module = Witness(items), Async()

    async def one(item):
        with dspy.context(trace=[]):
            await module.acall(**item.example().inputs())
            return list(demos_in(dspy.settings.trace))

    async def every():
        return await asyncio.gather(*(one(item) for item in items))

    with ScriptedLm(REWRITE.rule).context(witness):
        for item, demos in zip(items, asyncio.run(every()), strict=True):
            check(witness, item, demos)
    assert nothing_left(witness)


def test_a_run_that_fails_leaves_nothing_behind():
    items = REWRITE.items(2)
    witness, module, lm = Witness(items), REWRITE.spec.build(), ScriptedLm(REWRITE.rule)

    def fails_on_the_first(inputs, outputs):
        if "summary" in inputs and "#0" in inputs["summary"]:
            raise ConnectionError("cut off")
        return REWRITE.rule(inputs, outputs)

    lm.rule = fails_on_the_first
    with lm.context(witness):
        with pytest.raises(dspy.utils.exceptions.LMError):
            module(**items[0].example().inputs())
        check(witness, items[1], run(module, items[1]))
    assert nothing_left(witness)


def test_of_several_items_that_made_the_same_demo_the_first_to_arrive_is_credited():
    train, val = FUNNEL.items(12), FUNNEL.items(6, 900)
    witness, module = Witness(train, val), FUNNEL.spec.build()
    behind: dict[str, list] = {}
    with ScriptedLm(FUNNEL.rule).context(witness):
        for item in [*val, *train]:
            demo = run(module, item)[1]
            behind.setdefault(str(demo), []).append(item)
    shared = {key: [item for item in items if item in train] for key, items in behind.items()}
    assert max(map(len, shared.values())) > 1
    with ScriptedLm(FUNNEL.rule).context():
        for item in train:
            demo = run(module, item)[1]
            assert witness.behind(demo) == min(shared[str(demo)], key=lambda each: each.arrival_ms)
        assert all(
            witness.behind(demo) is None or witness.behind(demo) in train for item in val for demo in run(module, item)
        )


class Proposing:
    """The rule of a sample that also proposes instructions, and knows which tickets it was shown for it."""

    def __init__(self, sample):
        self.sample, self.shown, self.asked = sample, set(), Counter()

    def __call__(self, inputs, outputs):
        if inputs.keys() <= {"ticket", "summary"}:
            right = dict(self.sample.rule(inputs, outputs))
            self.asked[str(inputs)] += 1
            # Some answers are wrong, and wrong again or right when asked again, so that there is something to learn.
            wrong = re.search(r"#\d*[05]\b", str(inputs)) or self.asked[str(inputs)] % 3 == 2
            return {**right, "team": "praise"} if wrong else right
        self.shown |= set(re.findall(r"#\d{3}", " ".join(inputs.values())))
        return {name: {} if name == "module_advice" else f"Read it well, {len(self.shown)}." for name in outputs}


def copro(module, train, val, metric):
    dspy.COPRO(metric=metric, breadth=2, depth=2).compile(
        module, trainset=train, eval_kwargs={"num_threads": 2, "display_progress": False}
    )


def mipro(module, train, val, metric):
    optimiser = dspy.MIPROv2(
        metric=metric, auto=None, num_candidates=2, max_bootstrapped_demos=2, max_labeled_demos=1, num_threads=2
    )
    optimiser.compile(module, trainset=train, valset=val, num_trials=2, minibatch=False, view_data_batch_size=3)


def simba(module, train, val, metric):
    dspy.SIMBA(metric=metric, bsize=6, num_candidates=2, max_steps=2, max_demos=0, num_threads=2).compile(
        module, trainset=train, seed=0
    )


def gepa(module, train, val, metric):
    def with_feedback(example, prediction, trace=None, name=None, steps=None):
        return dspy.Prediction(score=float(metric(example, prediction)), feedback="Look again.")

    dspy.GEPA(metric=with_feedback, max_metric_calls=30, reflection_lm=dspy.settings.lm, num_threads=2).compile(
        module, trainset=train, valset=val
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("sample", [REWRITE, SAMPLE["thoughtful"]], ids=lambda each: each.name)
@pytest.mark.parametrize("optimise", [copro, mipro, simba, gepa])
def test_the_items_that_a_proposer_is_shown_are_listed(sample, optimise):
    train, val = sample.items(12, 300), sample.items(5, 900)
    witness, rule = Witness(train, val), Proposing(sample)
    examples = [[item.example() for item in some] for some in (train, val)]
    with ScriptedLm(rule).context(witness):
        optimise(sample.spec.build(), *examples, lambda example, made, trace=None: example.team == made.team)
    shown = {item.trace_id.replace("tr-", "#") for item in witness.shown([*train, *val])}
    assert shown == rule.shown
    assert bool(shown) == (optimise is not copro), "COPRO proposes from instructions and scores alone"
    assert len(shown) < len(train) + len(val)
    assert nothing_left(witness)


def test_what_an_inner_predictor_read_shows_the_item_too():
    items = FUNNEL.items(4)
    witness = Witness(items)
    with ScriptedLm(FUNNEL.rule).context(witness):
        topic = run(FUNNEL.spec.build(), items[0])[1]["topic"]
        assert witness.shown(items) == []
        dspy.Predict("notes -> summary")(notes=f"What to do about {topic}?")
    assert items[0] in witness.shown(items)
    assert len(witness.shown(items)) < len(items)


def test_a_model_that_a_tool_asks_is_no_proposer():
    items = REWRITE.items(3)
    witness, lm = Witness(items), ScriptedLm(REWRITE.rule)
    ask = dspy.Predict("letter -> summary")
    shorten = dspy.Tool(lambda text: ask(letter=text).summary, name="shorten", args={"text": {"type": "string"}})

    class Acts(dspy.Module):
        def forward(self, ticket):
            return dspy.Prediction(team=shorten(text=ticket))

    with lm.context(witness):
        for item in items:
            Acts()(**item.example().inputs())
        assert witness.shown(items) == []
        shorten(text=items[1].inputs["ticket"])
        assert witness.shown(items) == [items[1]]
    assert len(lm.prompts) == 4


def item_of(content, **inputs):
    (item,) = REWRITE.items(1)
    return type(item)(**{**vars(item), "content": content, "inputs": inputs, "types": None})


def test_of_short_inputs_all_must_be_shown_and_of_long_ones_one():
    short = item_of("short", city="Rome", year=1960)
    long = item_of("long", letter="Dear Sir, I write for the third time.\nYours", year=1960)
    witness = Witness([short, long])
    with ScriptedLm(lambda inputs, outputs: dict.fromkeys(outputs, "so")).context(witness):
        ask = dspy.Predict("notes -> instruction")
        ask(notes="In 1960, what happened?")
        assert witness.shown([short, long]) == []
        ask(notes='[{"city": "Rome", "year": 1960}]')
        assert witness.shown([short, long]) == [short]
        ask(notes='{"letter": "dear sir, I write for the third time.\\nyours"}')
        assert witness.shown([long, short]) == [long, short]
