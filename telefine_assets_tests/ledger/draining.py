"""Traces for the spool that go to a real MLflow, and a process that stops while it writes them there."""

from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.spool import Spool
from telefine_assets.ledger.spool_records import Offer
from telefine_assets.traces import mlflow_writing
from telefine_assets.traces.mlflow_writing import MlflowWriter
from telefine_assets.traces.spooling import Place, drain
from telefine_assets.traces.submitted import SubmittedFeedback, SubmittedTrace, identity_of
from telefine_assets_tests.ledger.workers import say, told
from telefine_assets_tests.traces.mlflow_store import EXPERIMENT

PLACE = Place("tickets", "telefine.contributor", "telefine.submission")


def submitted(number, by="ada"):
    """A trace with something said of it, as the API takes it in."""
    trace = SubmittedTrace(
        id=f"call-{number}",
        inputs={"ticket": f"parcel {number}"},
        outputs={"team": "shipping"},
        expectations={"right_team": "shipping"},
        feedback=[SubmittedFeedback(name="resolved", value=True)],
    )
    return Offer(identity_of(trace, trace.digest(), "tickets", by), trace.digest(), trace.body())


class Stopping:
    """Writes ten traces, begins ten more, says so, and never comes back."""

    def __init__(self, uri):
        self._writer = MlflowWriter(uri, EXPERIMENT)

    def write(self, traces):
        self._writer.write(traces[:10])
        for trace in traces[10:20]:
            self._writer._begin(trace)
        say("half way")
        told()


def stop_half_way(url, uri):
    """Drain, and stop in the middle of it."""
    drain(Spool(Ledger(url)), PLACE, Stopping(uri), 1_000, 5)


def stop_within_a_transaction(url, uri):
    """Drain, and stop when all traces are begun and their spans are to follow."""

    def stop(_):
        say("half way")
        told()

    mlflow_writing._spans = stop
    drain(Spool(Ledger(url)), PLACE, MlflowWriter(uri, EXPERIMENT), 1_000, 5)
