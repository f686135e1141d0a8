"""No call that Telefine makes becomes a trace of production, and production's own still do."""

from concurrent.futures import ThreadPoolExecutor

import dspy
import pytest
from dspy.utils.callback import BaseCallback

from telefine_assets.lm.opening import open_lm
from telefine_assets_tests.knn_lm import lm_settings
from telefine_assets_tests.programs.tickets import build, tickets
from telefine_assets_tests.traces.mlflow_logging import logging_to
from telefine_assets_tests.traces.mlflow_store import empty_store


@pytest.fixture
def production(tmp_path, knn):
    """A process that logs its DSPy calls to MLflow; returns the numbers of traces and of assessments so far."""
    import mlflow

    with logging_to(empty_store(tmp_path / "mlflow")) as patch:
        experiment = mlflow.MlflowClient().create_experiment("production", artifact_location=str(tmp_path / "files"))
        patch.setenv("MLFLOW_EXPERIMENT_ID", experiment)
        mlflow.dspy.autolog()

        def logged():
            traces = mlflow.MlflowClient().search_traces(locations=[experiment], include_spans=False)
            return len(traces), sum(len(trace.info.assessments) for trace in traces)

        yield logged
        mlflow.dspy.autolog(disable=True)


class Traced(dspy.Module):
    """A program whose author traces a function of his own."""

    def __init__(self):
        super().__init__()
        self.inner = build()

    def forward(self, ticket):
        import mlflow

        @mlflow.trace
        def look_up():
            return self.inner(ticket=ticket)

        return look_up()


def right(example, prediction, trace=None):
    return example.team == prediction.team


def test_nothing_is_traced_in_the_context_and_everything_again_after_it(production, knn):
    examples = [dspy.Example(ticket=text, team=team).with_inputs("ticket") for text, team in tickets(8)]
    with open_lm(lm_settings(knn)) as lm:

        def serve():
            with dspy.context(lm=lm.lm, adapter=lm.adapter):
                Traced()(ticket="the invoice")

        def in_a_thread(example):
            with lm.context():
                Traced()(ticket=example.ticket)

        serve()
        assert production() == (1, 0)
        with lm.context():
            Traced()(ticket="the password")
            for threads in (1, 4):
                dspy.Evaluate(devset=examples, metric=right, num_threads=threads, display_progress=False)(Traced())
            optimiser = dspy.BootstrapFewShot(metric=right, max_bootstrapped_demos=1, max_labeled_demos=2)
            optimiser.compile(Traced(), trainset=examples)
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(in_a_thread, examples))
        assert production() == (1, 0)
        serve()
        assert production() == (2, 0)
        serving = ThreadPoolExecutor(1)
        with lm.context():  # production in another thread of the process goes on
            serving.submit(serve).result()
        assert production() == (3, 0)


class Watcher(BaseCallback):
    def __init__(self):
        self.calls = 0

    def on_lm_start(self, call_id, instance, inputs):
        self.calls += 1


def test_the_given_callbacks_and_no_others_see_each_call_once(knn):
    watcher, stranger = Watcher(), Watcher()
    with open_lm(lm_settings(knn)) as lm, dspy.context(callbacks=[stranger]), lm.context([watcher]):
        build()(ticket="the invoice")
    assert (watcher.calls, stranger.calls) == (1, 0)
