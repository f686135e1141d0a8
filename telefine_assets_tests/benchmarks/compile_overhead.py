"""What the journal, the budget and the counting add to the wall time of a compile.

Run: python -m telefine_assets_tests.benchmarks.compile_overhead
Limits: at most 5 % more wall time for each call than the same random search by
hand with a plain ``dspy.LM``, against a model that takes 20 ms to answer; at
most 0.5 ms of processor time for an answer's bookkeeping. A question that comes again in a
search is answered by the journal and by hand is asked again, hence "each call".
"""

import contextlib
import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from telefine_assets_tests.benchmarks.measuring import measured
from telefine_assets_tests.benchmarks.results import Result, report
from telefine_assets_tests.knn_lm import MODEL, knn_lm, lm_settings

HERE = "telefine_assets_tests.benchmarks.compile_overhead"
LATENCY_SECONDS = 0.02
ITEMS = 40
THREADS = 4
ROUNDS = 3
ANSWERS = 2_000


@contextmanager
def by_hand(knn: Any) -> Iterator[None]:
    """DSPy as its user would set it up."""
    import dspy

    from telefine_assets.lm.plain_adapter import PlainFewShotAdapter

    lm = dspy.LM(MODEL, api_base=knn.api_base, api_key="any", temperature=0.0, max_tokens=8, cache=False)
    with dspy.context(lm=lm, adapter=PlainFewShotAdapter()):
        yield


@contextmanager
def by_telefine(knn: Any) -> Iterator[None]:
    """The same model with journal, budget and counting."""
    from telefine_assets.lm.budget import Budget
    from telefine_assets.settings.lm import BudgetSettings
    from telefine_assets_tests.lm.opened import journaled

    budget = Budget(BudgetSettings(max_calls=10**6, max_tokens=10**9, max_cost="1000", max_seconds=3600))
    price = {"input_per_million": "1", "output_per_million": "1"}
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'ledger.db'}"
        with journaled(url, knn, budget, price=price) as lm, lm.context(), lm.counting("search"):
            yield


def search(way: str, api_base: str) -> float:
    """Seconds of one random search."""
    import dspy

    from telefine_assets_tests.programs.tickets import build, tickets

    examples = [dspy.Example(ticket=text, team=team).with_inputs("ticket") for text, team in tickets(2 * ITEMS)]
    optimiser = dspy.BootstrapFewShotWithRandomSearch(
        metric=lambda example, prediction, trace=None: example.team == prediction.team,
        max_bootstrapped_demos=1,
        max_labeled_demos=4,
        num_candidate_programs=3,
        num_threads=THREADS,
        max_errors=10_000,
    )
    opened = {"by hand": by_hand, "telefine": by_telefine}[way](SimpleNamespace(api_base=api_base))
    with opened, contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        build()(ticket="the first call opens connections")
        start = time.perf_counter()
        optimiser.compile(build(), trainset=examples[:ITEMS], valset=examples[ITEMS:])
        return time.perf_counter() - start


def bookkeeping() -> float:
    """Milliseconds of processor time for an answer, the call itself left out: key, finding, keeping, budget, counts."""
    from dspy.lm15 import Config, Message, Request, Response, TextPart, Usage

    from telefine_assets.ledger.answers import Answers
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.lm.budget import Spent
    from telefine_assets.lm.opening import open_lm

    answer = Message(role="assistant", parts=(TextPart("billing"),))
    usage = Usage(input_tokens=1, output_tokens=1)
    response = Response(id="1", model="m", message=answer, finish_reason="stop", usage=usage)
    requests = [
        Request(
            model=MODEL,
            messages=(Message(role="user", parts=(TextPart(f"{number} {'a ticket ' * 300}"),)),),
            config=Config(max_tokens=8),
        )
        for number in range(ANSWERS)
    ]
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"sqlite:///{Path(folder) / 'ledger.db'}")
        settings = lm_settings(SimpleNamespace(api_base="http://127.0.0.1:9/v1"))  # type: ignore[arg-type]
        with open_lm(settings, Answers(ledger)) as lm:
            lm.engine._wire.send = lambda request: (response, Spent(calls=1))
            start = time.process_time()
            for request in requests:
                lm.engine.complete(request)
            seconds = time.process_time() - start
        ledger.close()
    return 1_000 * seconds / ANSWERS


def main() -> Iterator[Result]:
    """The best of several rounds, the two ways in turn."""
    best: dict[str, float] = {}
    for _ in range(ROUNDS):
        for way in ("by hand", "telefine"):
            with knn_lm() as knn:
                knn.latency_seconds = LATENCY_SECONDS
                seconds = measured(HERE, "search", way, knn.api_base).said / (knn.calls - 1)
            best[way] = min(best.get(way, seconds), seconds)
    ours, theirs = (1_000 * best[way] for way in ("telefine", "by hand"))
    what = f"a call of a search, {THREADS} in flight, model of {1_000 * LATENCY_SECONDS:.0f} ms"
    yield Result(what, ours, "ms", 1.05 * theirs, "dspy.LM by hand", theirs)
    yield Result("bookkeeping of an answer, processor time", measured(HERE, "bookkeeping").said, "ms", 0.5)


if __name__ == "__main__":
    report(main)
