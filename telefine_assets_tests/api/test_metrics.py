"""Metrics: what Prometheus reads of a deployment, bounded, and of nobody's traces."""

from datetime import UTC, datetime
from threading import Event

import pytest
from prometheus_client.parser import text_string_to_metric_families

from telefine_assets.api import behind, collecting
from telefine_assets.api.behind import Behind, NotYet
from telefine_assets.api.collecting import DeploymentCollector
from telefine_assets.ledger.spool import Spool
from telefine_assets_tests.api.served import NOW, Served
from telefine_assets_tests.cli.attested_home import ALICE, MONDAY, TUESDAY
from telefine_assets_tests.ledger.spooling import batch, offer

COLLECTORS = ("spool", "ledger", "stages", "days", "automation", "dagster", "ready", "runs", "api")
NOW_MS = int(NOW.timestamp() * 1000)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(collecting, "FRESH_SECONDS", 0.0)


def families(served, key=None):
    answer = served.get("/v1/metrics", key or served.key("read"))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {each.name: each for each in text_string_to_metric_families(answer.text)}


def values(found, name):
    """Values of a family by their labels, in the order of the labels' names."""
    family = found[name]
    return {
        tuple(sample.labels[label] for label in sorted(sample.labels)): sample.value
        for sample in family.samples
        if sample.name in (name, f"{name}_total")
    }


def test_every_family_has_help_type_and_a_name_as_prometheus_wants_it(full):
    found = families(full)
    assert len(found) > 20
    for name, family in found.items():
        assert family.documentation, name
        assert family.type in ("counter", "gauge", "histogram"), (name, family.type)
        assert name.startswith(("telefine_", "process_")), name
    assert values(found, "telefine_collector_up") == dict.fromkeys([(each,) for each in COLLECTORS], 1)


def test_requests_are_counted_by_route_and_never_by_what_stands_in_their_addresses(served):
    key = served.key("read")
    for path in ("/v1/programs/triage", "/v1/programs/none", f"/v1/programs/{ALICE}", "/nowhere/at-all", "/v1/../x"):
        served.get(path, key)
    served.client.request("BREW", "/v1/programs", headers=served.headers(key))
    found = families(served, key)
    counted = values(found, "telefine_http_requests")
    assert counted["GET", "/v1/programs/{program}", "2xx"] == 1
    assert counted["GET", "/v1/programs/{program}", "4xx"] == 2
    assert counted["other", "-", "4xx"] == 1
    text = served.get("/v1/metrics", key).text
    assert not [secret for secret in (ALICE, "nowhere", "BREW", key, key.split("_")[1]) if secret in text]
    lasting = found["telefine_http_request_duration_seconds"]
    assert {sample.name.rpartition("_")[2] for sample in lasting.samples} == {"bucket", "count", "sum"}


def test_the_spool_is_measured_by_program(served):
    spool = Spool(served.here.ledger)
    spool.accept(batch(*(offer(f"{number}") for number in range(5)), program="triage"), NOW_MS - 2_000_000)
    spool.drained("triage", 1, {0: "MLflow was odd"}, NOW_MS - 1_500_000)
    found = families(served)
    told = {
        name: values(found, f"telefine_spool_{name}")["triage",]
        for name in ("accepted_traces", "drained_traces", "waiting_traces", "oldest_age_seconds", "refused_traces")
    }
    assert told == {
        "accepted_traces": 5, "drained_traces": 2, "waiting_traces": 3, "oldest_age_seconds": 2_000,
        "refused_traces": 1,
    }  # fmt: skip
    assert values(found, "telefine_spool_stalled") == {("triage",): 1}
    spool.drained("triage", 2, {}, NOW_MS - 1_000)
    assert values(families(served), "telefine_spool_stalled") == {("triage",): 0}


def test_ledger_and_stages_are_what_is_stored(full):
    found = families(full)
    rows = values(found, "telefine_ledger_rows")
    assert rows["log_leaves",] == full.here.leaves.size() > 0
    assert (rows["payouts",], rows["looks",], rows["submissions",]) == (1, 0, 0)
    assert values(found, "telefine_stage_records")["triage", "deltaone_reports"] == 2
    last = values(found, "telefine_stage_last_day_timestamp_seconds")
    assert last["triage", "contributor_payouts"] == datetime.fromisoformat(MONDAY).replace(tzinfo=UTC).timestamp()
    began = datetime.fromisoformat(TUESDAY).replace(tzinfo=UTC).timestamp()
    age = max(0, NOW.timestamp() - began - 86_400)
    assert values(found, "telefine_stage_last_day_age_seconds")["triage", "attestations"] == age


def test_what_runs_by_itself_and_who_follows_is_told(served):
    served.here.following.take("somebody")
    found = families(served)
    assert values(found, "telefine_automation_on") == {("schedule", "triage_daily"): 1}
    assert values(found, "telefine_api_followers") == {(): 1}


def test_what_cannot_be_read_is_said_and_hides_nothing_else(served, monkeypatch):
    key, whole = served.key("read"), set(families(served))
    served.control.down = True
    monkeypatch.setattr(behind, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(served.here.records, "days", lambda *_: ["not a day"])
    collector = DeploymentCollector(served.here, lambda: 1.0)
    up = {
        sample.labels["collector"]: sample.value
        for family in collector.collect()
        for sample in family.samples
        if family.name == "telefine_collector_up"
    }
    assert up == dict.fromkeys(COLLECTORS, 1) | dict.fromkeys(("stages", "automation", "dagster"), 0)
    left = families(served, key)
    assert "telefine_stage_records" in whole - set(left)
    assert "/secret/place" not in served.get("/v1/metrics", key).text


def test_what_was_read_before_a_read_that_hangs_is_told_for_a_minute_and_no_longer():
    now, reads, let_go = [0.0], [0], Event()

    def read():
        reads[0] += 1
        if reads[0] == 2:
            let_go.wait(60)
        return reads[0]

    slow = Behind(read, lambda: now[0])
    assert slow.get() == 1
    for now[0] in (behind.AGAIN_SECONDS, 4 * behind.AGAIN_SECONDS):
        assert slow.get() == 1
    now[0] += 1
    with pytest.raises(NotYet):
        slow.get()
    let_go.set()
    slow._thread.join()
    now[0] += 3600
    assert slow.get() == 3


def test_what_was_read_within_the_second_is_told_again(served, monkeypatch):
    monkeypatch.setattr(collecting, "FRESH_SECONDS", 1.0)
    seconds = [5.0]
    collector = DeploymentCollector(served.here, lambda: seconds[0])

    def accepted():
        families = {family.name: family for family in collector.collect()}
        return families["telefine_spool_accepted_traces"].samples[0].value

    assert accepted() == 0
    Spool(served.here.ledger).accept(batch(offer("x"), program="triage"), NOW_MS)
    seconds[0] = 5.9
    assert accepted() == 0
    seconds[0] = 6.0
    assert accepted() == 1


def test_metrics_are_for_readers_unless_the_settings_say_otherwise(serve):
    closed = serve()
    assert closed.get("/v1/metrics").status_code == 401
    assert closed.get("/v1/metrics", closed.key("submit")).status_code == 403
    assert serve(public_metrics=True).get("/v1/metrics").status_code == 200


def test_strangers_are_not_told_how_often_deltaone_was_tried(paid, reader):
    public = Served(paid.settings, public_metrics=True)
    secret = ('table="looks"', 'stage="deltaone_reports"', "telefine_stage_outcomes{", "telefine_deltaone_looks")
    for _ in range(2):
        strange, known = public.get("/v1/metrics").text, public.get("/v1/metrics", reader).text
        assert not [each for each in secret if each in strange]
        assert [each for each in secret if each in known] == [*secret]
    assert 'table="payouts"' in strange
    assert 'stage="attestations"' in strange


def test_two_applications_count_for_themselves(serve):
    one, other = serve(), serve()
    key = one.key("read")
    one.get("/v1/health")
    assert ("GET", "/v1/health", "2xx") in values(families(one, key), "telefine_http_requests")
    assert ("GET", "/v1/health", "2xx") not in values(families(other, key), "telefine_http_requests")


def test_a_scrape_asks_the_ledger_a_few_times_however_much_is_in_it(served):
    from sqlalchemy import event

    spool, asked = Spool(served.here.ledger), []
    event.listen(served.here.ledger._engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))

    def scraped():
        asked.clear()
        families(served, key)
        return len([statement for statement in asked if statement.lstrip().startswith("SELECT")])

    key = served.key("read")
    scraped()  # whether the ledger can be reached is looked at beside, and not each time
    few = scraped()
    spool.accept(batch(*(offer(f"{number}") for number in range(500)), program="triage"), NOW_MS)
    assert scraped() == few < 20
