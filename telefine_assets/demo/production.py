"""The simulated days of production, in a process of its own.

Every call is a real call of the program, logged by MLflow's own DSPy
autologging. The clock of this process is moved to the day that is simulated,
so that MLflow dates everything by itself; nothing is written into its tables
by us. That and MLflow's global settings are why it is a process of its own.

Killed and started again, it makes only the calls and gives only the feedback
that are not in MLflow yet.
"""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from telefine_assets.demo.people import DESK, Request, plan
from telefine_assets.partitions import bounds_ms
from telefine_assets.settings.lm import LmSettings
from telefine_assets.settings.loading import load_settings
from telefine_assets.settings.schema import Settings

REQUEST_TAG = "film.request"
PROGRAM = "film_reviews"


@dataclass(frozen=True)
class _Desk:
    """What serves the calls of one process."""

    program: Any
    lm: Any
    down: Any
    """An LM at an address where nothing answers: the outage of the demonstration."""


def serve_days(settings: Settings, sentences_a_day: int) -> None:
    """Serve every day of the settings' partitions, printing progress."""
    import mlflow

    from telefine_assets.demo.film_reviews import build
    from telefine_assets.lm.opening import open_lm

    mlflow.set_tracking_uri(settings.mlflow.tracking_uri)
    experiment = _experiment(settings)
    mlflow.set_experiment(experiment_id=experiment)
    mlflow.dspy.autolog()
    first, last = settings.partitions.start, settings.partitions.end or settings.partitions.start
    outage = LmSettings(model="openai/down", api_base="http://127.0.0.1:9/v1", num_retries=0, adapter="plain")
    with open_lm(settings.lm) as lm, open_lm(outage) as down:
        desk = _Desk(build(), lm, down)
        for number in range((last - first).days + 1):
            day = first + timedelta(days=number)
            requests = list(plan(number, sentences_a_day))
            _serve(desk, experiment, day, requests)
            _assess(experiment, day, requests)


def _serve(desk: _Desk, experiment: str, day: date, requests: list[Request]) -> None:
    import mlflow
    import time_machine

    logged = {trace.info.tags.get(REQUEST_TAG) for trace in _traces(experiment, day, spans=False)}
    missing = [request for request in requests if request.key not in logged]
    at_once = desk.lm.calls_in_flight
    for start in range(0, len(missing), at_once):
        batch = missing[start : start + at_once]
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=batch[0].second)
        with time_machine.travel(moment, tick=True), ThreadPoolExecutor(len(batch)) as pool:
            list(pool.map(lambda request: _call(desk, request), batch))
        if start % (10 * at_once) == 0 or start + at_once >= len(missing):
            _progress(day, "calls", min(start + at_once, len(missing)), len(missing))
    mlflow.flush_trace_async_logging()


def _call(desk: _Desk, request: Request) -> None:
    import dspy
    import mlflow

    lm = desk.down if request.fault == "model_down" else desk.lm
    tags = {"telefine.contributor": request.person.wallet, REQUEST_TAG: request.key}
    serving = dspy.context(lm=lm.lm, adapter=lm.adapter, track_usage=False)
    with mlflow.tracing.context(tags=tags, user=request.person.name), serving:
        try:
            desk.program(review=request.text)
        except Exception as error:  # noqa: BLE001 - as in production: the call failed, and its trace says so
            if request.fault != "model_down":
                print(f"  {request.key}: {type(error).__name__}", flush=True)


def _assess(experiment: str, day: date, requests: list[Request]) -> None:
    """What people say in the evening: feedback, expectations, and the desk's checks."""
    import time_machine

    by_key = {trace.info.tags.get(REQUEST_TAG): trace for trace in _traces(experiment, day, spans=True)}
    calls: Counter[str] = Counter()
    evening = datetime(day.year, day.month, day.day, 22, tzinfo=UTC)
    with time_machine.travel(evening, tick=True):
        for done, request in enumerate(requests, 1):
            trace = by_key.get(request.key)
            number = calls[request.person.name]
            calls[request.person.name] += 1
            if trace is not None and request.fault is None:
                _say(trace, request, number)
            if done % 60 == 0 or done == len(requests):
                _progress(day, "feedback", done, len(requests))


def _say(trace: Any, request: Request, number: int) -> None:
    """One trace's feedback and expectations, those that are not there yet."""
    import mlflow
    from mlflow.entities import AssessmentSource

    said = {(each.name, each.source.source_id) for each in trace.info.assessments}
    label = request.said_label(number)
    person = AssessmentSource("HUMAN", request.person.name)
    trace_id = trace.info.trace_id
    if label is None:
        return
    answer = (trace.data.spans[0].outputs or {}).get("sentiment")
    if ("helpful", person.source_id) not in said:
        mlflow.log_feedback(trace_id=trace_id, name="helpful", value=answer == label, source=person)
    if ("sentiment", person.source_id) not in said:
        mlflow.log_expectation(trace_id=trace_id, name="sentiment", value=label, source=person)
    if number % 3 == 0 and ("sentiment", DESK) not in said:
        desk = AssessmentSource("HUMAN", DESK)
        mlflow.log_expectation(trace_id=trace_id, name="sentiment", value=request.truth, source=desk)


def _traces(experiment: str, day: date, spans: bool) -> list[Any]:
    from mlflow import MlflowClient

    start, end = bounds_ms(day.isoformat())
    found: list[Any] = []
    token = None
    while True:
        page = MlflowClient().search_traces(
            locations=[experiment],
            filter_string=f"trace.timestamp_ms >= {start} AND trace.timestamp_ms < {end}",
            max_results=500,
            page_token=token,
            include_spans=spans,
        )
        found += page
        token = page.token
        if not token:
            return found


def _experiment(settings: Settings) -> str:
    from mlflow import MlflowClient

    name = settings.program(PROGRAM).experiment
    client = MlflowClient()
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(name, artifact_location=str(settings.home / "mlflow-artifacts" / name)))


def _progress(day: date, what: str, done: int, total: int) -> None:
    print(f"  {day}  {what:<9} {done:>4} of {total}", flush=True)


if __name__ == "__main__":
    serve_days(load_settings(), int(sys.argv[1]))
