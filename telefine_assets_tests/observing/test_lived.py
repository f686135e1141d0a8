"""A deployment that lives: its API, a run, a failure; and what a real Prometheus and fake receivers see of it."""

import os
import re
import subprocess

import httpx
import pytest

from telefine_assets.control.records import RunStatus
from telefine_assets.observing.reporting import WITHHELD
from telefine_assets_tests.cli.attested_home import MONDAY
from telefine_assets_tests.knn_lm import knn_lm
from telefine_assets_tests.observing.history import (
    PROGRAM,
    SPAN,
    STAGES,
    TRACE,
    asked,
    let_happen,
    prepared,
    serving,
)
from telefine_assets_tests.observing.metrics_table import wanted, written
from telefine_assets_tests.observing.prometheus_server import (
    DASHBOARDS,
    needs_prometheus,
    queries,
    rules,
    scraping,
    told,
    waited_for,
)
from telefine_assets_tests.observing.receiving import receiving

METRIC = re.compile(r"\b(telefine_\w+|process_\w+)\b(?!\s*\()")


@pytest.fixture(scope="module")
def watched():
    """The one that the deployment with a history sends to."""
    with receiving() as fake:
        yield fake


@pytest.fixture(scope="module")
def api(tmp_path_factory, empty_template, watched):
    """The API of a deployment in which something has happened, for the most part because the API was asked for it."""
    with pytest.MonkeyPatch.context() as patched, knn_lm() as knn:
        for name in [each for each in os.environ if each.startswith(("TELEFINE_", "DAGSTER_HOME"))]:
            patched.delenv(name)
        folder = tmp_path_factory.mktemp("lived")
        patched.setenv("TELEFINE_CONFIG", str(folder / "telefine.yaml"))
        patched.setenv("TELEFINE_LM__API_KEY", "a-key-for-the-model")
        patched.setenv("TELEFINE_OBSERVING__SENTRY_DSN", watched.dsn)
        knn.fail_share = 0.1
        settings = prepared(folder, empty_template, knn.api_base, watched)
        with serving(settings) as answering:
            answering.run = asked(answering)
            assert answering.run.status is RunStatus.SUCCEEDED, answering.run.error
            let_happen(settings)
            yield answering
            # Nothing is left to be sent to a receiver that is gone.
            answering.app.state.deployment.observer.tracing._provider.shutdown()


@pytest.fixture(scope="module")
def prometheus(api, tmp_path_factory):
    """A Prometheus that has scraped it."""
    with scraping(api, tmp_path_factory.mktemp("prometheus")) as ask:
        yield ask


def test_one_trace_leads_from_a_clients_request_to_the_run_its_stages_and_what_they_asked(api, watched):
    api.app.state.deployment.observer.tracing.flush()
    spans = {each["id"]: each for each in watched.spans() if each["trace"] == TRACE}
    named = {each["name"]: each for each in spans.values()}
    request, start = named["POST /v1/runs"], named[f"start runs of {PROGRAM}"]
    assert request["parent"] == SPAN
    assert request["about"]["http.response.status_code"] == 202
    assert start["parent"] == request["id"]
    stages = [each for each in spans.values() if each["parent"] == start["id"]]
    assert [each["name"] for each in stages] == [f"stage {stage}" for stage in STAGES]
    assert {each["about"]["telefine.run_id"] for each in stages} == {api.run.run_id}
    assert {each["about"]["telefine.partition"] for each in stages} == {MONDAY}
    batches = [each for each in spans.values() if each["parent"] == stages[-1]["id"]]
    assert {each["about"]["telefine.counted_under"] for each in batches} >= {"baseline"}
    assert sum(each["about"]["telefine.requests"] for each in batches) > 20
    assert {each["of"]["telefine.deployment"] for each in spans.values()} == {"paid"}


def test_a_run_that_failed_is_reported_with_what_it_was_about_and_nothing_of_its_data(api, watched):
    (event,) = watched.events()
    assert event["tags"] | {"run_id": ""} == {
        "program": PROGRAM, "stage": "attestations", "partition": MONDAY, "run_id": "",
    }  # fmt: skip
    (error,) = event["exception"]["values"]
    assert error["type"] == "MissingPartition"
    assert error["value"] == WITHHELD
    assert event["environment"] == "paid"
    assert not {"request", "user", "extra", "breadcrumbs", "modules"} & set(event)
    assert not [frame for frame in error["stacktrace"]["frames"] if "vars" in frame]
    (span,) = (each for each in watched.spans() if each["name"] == "stage attestations")
    assert (span["status"], span["about"]["error.type"]) == ("MissingPartition", "MissingPartition")


def test_what_runs_counted_is_told_by_the_api_of_the_same_machine_and_the_guide_has_every_metric(api):
    headers = {"Authorization": f"Bearer {api.key}"}
    text = httpx.get(f"http://127.0.0.1:{api.port}/v1/metrics", headers=headers, trust_env=False).text
    labels = f'program="{PROGRAM}",stage='
    assert f'telefine_stage_runs_total{{outcome="failed",{labels}"attestations"}} 1.0' in text
    for stage in STAGES:
        assert f'telefine_stage_runs_total{{outcome="succeeded",{labels}"{stage}"}} 1.0' in text
    assert written() == wanted(text)


@needs_prometheus
def test_what_the_api_tells_is_named_as_prometheus_wants_it(api):
    headers = {"Authorization": f"Bearer {api.key}"}
    text = httpx.get(f"http://127.0.0.1:{api.port}/v1/metrics", headers=headers, trust_env=False).content
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@needs_prometheus
def test_every_query_of_every_dashboard_is_answered_by_the_metrics_of_a_real_deployment(prometheus):
    assert (len(DASHBOARDS), len(queries()) > 40) == (4, True)
    assert [each for each in queries() if not prometheus(each)] == []


@needs_prometheus
def test_every_metric_of_every_rule_is_exported_and_every_rule_is_evaluated(prometheus):
    named = {metric for rule in rules() for metric in METRIC.findall(rule["expr"])}
    assert len(named) > 15
    assert [each for each in sorted(named) if not prometheus(each)] == []
    waited_for(lambda: {each["health"] for each in told(prometheus)} == {"ok"})
    assert [each["name"] for each in told(prometheus)] == [rule["alert"] for rule in rules()]
