"""Retention: what is old goes, and whatever goes, everything that was proved is proved still."""

import json
import os
import shutil
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient
from sqlalchemy import insert

from telefine_assets.control.old_runs import DagsterRuns
from telefine_assets.keeping.mlflow_runs import MlflowRuns
from telefine_assets.keeping.proving import prove
from telefine_assets.keeping.retention import FILE, INDEX, PARTITION, Rules, apply, plan, read_plan
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.looks import Looks
from telefine_assets.ledger.schema import look_numbers, look_outcomes, looks
from telefine_assets.settings.file import SettingsError
from telefine_assets.settings.retention import RetentionSettings
from telefine_assets.store.files import Files
from telefine_assets.store.tables import TableStore
from telefine_assets_tests.cli.attested_home import MONDAY, NOON, TUESDAY, PaidHome
from telefine_assets_tests.traces.mlflow_store import copy_store

FIRST = date(2026, 10, 20)
TABLES = ("traces", "cleaned_traces", "dropped_traces", INDEX)


def day(number: int) -> str:
    return (FIRST + timedelta(days=number)).isoformat()


def all_at_once(items, _what):
    return items


def fill(home: PaidHome, numbers, reached=()) -> dict[str, str]:
    """Days that were loaded, compiled and looked at; returns the train set's digest by day. All of it is old."""
    tables, trainsets = TableStore(Files(home.settings.store.uri)), {}
    with home.ledger.writing() as connection:
        for number in numbers:
            for table in TABLES:
                tables.write("triage", table, day(number), pa.table({"inputs": [f"of {number}"]}))
            made = home.evidence.put(f"candidate of {number}".encode())
            report = home.evidence.put(f"report on {made}".encode())
            trainset = home.evidence.put(f"trainset of {number}".encode())
            teacher = {"program": "senior", "version": home.evidence.put(f"teacher of {number}".encode())}
            record = {"baseline": made, "candidate": made, "teacher": teacher, "evidence": {"trainset": trainset}}
            if home.records.find("triage", "compiled_programs", day(number)) is None:
                home.records.write("triage", "compiled_programs", day(number), record)
            if day(number) not in (MONDAY, TUESDAY):
                trainsets[day(number)] = trainset
            items = home.evidence.put(json.dumps([f"item of {number}"]).encode())
            look = {"program": "triage", "look_key": f"{number:064}", "epoch": 1, "day": day(number), "alpha": "0.05"}
            look |= {"baseline": "0" * 64, "candidate": made, "metric": "exact", "item_list": items}
            connection.execute(insert(looks).values(**look))
            numbered = {"look_key": look["look_key"], "program": "triage", "epoch": 1, "k": number + 1}
            connection.execute(insert(look_numbers).values(**numbered))
            outcome = {"look_key": f"{number:064}", "reached": int(number in reached), "report": report}
            connection.execute(insert(look_outcomes).values(**outcome))
    for path in Path(home.settings.store.uri).rglob("*"):
        os.utime(path, (0, 0))
    return trainsets


def assert_nothing_of_a_look_is_lost(home: PaidHome, numbers) -> None:
    """What a later look reads, what a look that is run again reads, and what teaches when a day is compiled again."""
    taken = Looks(home.ledger)
    for digest in taken.epoch("triage", "f" * 64)[1]:
        assert json.loads(home.evidence.get(digest))
    for number in numbers:
        home.evidence.get(taken.concluded(f"{number:064}"))
        compiled = home.records.read("triage", "compiled_programs", day(number))
        for version in (compiled["baseline"], compiled["candidate"], compiled["teacher"]["version"]):
            home.evidence.get(version)


@pytest.fixture
def old(home):
    """Thirty old days, two of them attested and paid."""
    return fill(home, range(30))


def rules(traces=None, artifacts=None, runs=None, window=3, remembered=0) -> Rules:
    limits = RetentionSettings(traces_days=traces, artifacts_days=artifacts, runs_days=runs)
    return Rules(limits, {"triage": window}, {"triage": remembered})


def at(number: int) -> datetime:
    return datetime.fromisoformat(f"{day(number)}T12:00:00+00:00")


def set_rules(home, text: str) -> None:
    file = home.home / "telefine.yaml"
    short = "compile: {lookback_days: 1, strategies"
    text = f"    sensors: {{late_feedback: {{look_back_days: 1}}}}\nretention: {text}\n"
    file.write_text(file.read_text().replace("compile: {strategies", short) + text)


limits = st.none() | st.integers(1, 60)


@given(
    traces=limits,
    artifacts=limits,
    remembered=st.integers(0, 20),
    numbers=st.sets(st.integers(0, 40), max_size=12),
    reached=st.sets(st.integers(0, 40), max_size=2),
    now=st.integers(0, 120),
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_rules_all_proofs_stand(home, kept_template, traces, artifacts, remembered, numbers, reached, now):
    with TemporaryDirectory() as folder:
        copied = Path(folder) / "home"
        shutil.copytree(kept_template, copied)
        own = PaidHome(copied)
        trainsets = fill(own, numbers, reached)
        files, by = Files(own.settings.store.uri), rules(traces, artifacts, remembered=remembered)
        found = plan(by, own.ledger, files, [], at(now))
        gone = apply(found, found, files, [], at(now), all_at_once)
        assert gone == found.removals
        proven = prove(own.ledger, own.trust(), files, all_at_once)
        assert (proven.problems, proven.attestations, proven.payouts) == ((), 2, 2)
        left = {name.split("/")[-1][:10] for name in files.walk("tables/triage/traces")}
        held = {each.name.split("/")[-1][:10] for each in found.held if each.name.startswith("tables/")}
        kept = {day(each) for each in numbers if traces is None or day(each) >= day(now - traces)}
        assert left == kept | (held & {day(each) for each in numbers})
        assert_nothing_of_a_look_is_lost(own, numbers - {13, 14})
        old = [] if artifacts is None else [each for each in trainsets if each < day(now - artifacts)]
        for each, digest in trainsets.items():
            needed = each not in old or each == max(old) or each in map(day, reached)
            assert not needed or own.evidence.find(digest) is not None
        assert plan(by, own.ledger, files, [], at(now)).removals == ()
        own.ledger.close()


def test_old_train_sets_go_and_the_newest_and_the_held_stay(home, old):
    files = Files(home.settings.store.uri)
    found = plan(rules(artifacts=5), home.ledger, files, [], at(400))
    apply(found, found, files, [], at(400), all_at_once)
    left = {each for each, digest in old.items() if home.evidence.find(digest) is not None}
    assert left == {day(29)}
    assert {each.kind for each in found.removals} == {FILE}
    assert_nothing_of_a_look_is_lost(home, {*range(30)} - {13, 14})
    uid = home.records.read("triage", "attestations", MONDAY)["uid"]
    held = {each.by for each in found.held if each.name == f"records/triage/compiled_programs/{MONDAY}.json"}
    assert {f"attestation {uid}", f"payout of {uid}"} <= held


def test_the_index_is_kept_for_longer(home, old):
    found = plan(rules(traces=10, remembered=5), home.ledger, Files(home.settings.store.uri), [], at(29))
    gone = {table: {each.name[-18:-8] for each in found.removals if f"/{table}/" in each.name} for table in TABLES}
    assert gone["traces"] == gone["cleaned_traces"] == gone["dropped_traces"] == {day(each) for each in range(19)}
    assert gone[INDEX] == {day(each) for each in range(14)}
    assert {each.kind for each in found.removals} == {PARTITION}


def test_traces_of_a_window_that_waits_for_its_attestation_are_held(home):
    fill(home, range(30), reached={20})
    found = plan(rules(traces=1, window=3), home.ledger, Files(home.settings.store.uri), [], at(400))
    held = {each.name[-18:-8] for each in found.held}
    assert held == {day(18), day(19), day(20)}
    assert all("waits" in each.by or "not attested yet" in each.by for each in found.held)


def test_what_was_written_lately_is_let_alone(home, old):
    files = Files(home.settings.store.uri)
    found = plan(rules(artifacts=5), home.ledger, files, [], at(400))
    digest = old[day(3)]
    name = f"evidence/{digest[:2]}/{digest}"
    moment = at(399).timestamp()
    os.utime(files.path(name), (moment, moment))
    gone = apply(found, found, files, [], at(400), all_at_once)
    assert (len(found.removals) - len(gone), files.exists(name)) == (1, True)


def test_the_command_does_exactly_the_plan_and_goes_on_when_cut_off(home, telefine, old, tmp_path, monkeypatch):
    set_rules(home, "{traces_days: 2, artifacts_days: 2}")
    home.ledger.close()
    code, out, err = telefine("retention", "plan", "--output", tmp_path / "plan.json")
    assert (code, err) == (0, "")
    planned = read_plan((tmp_path / "plan.json").read_bytes())
    assert "held: records/triage/compiled_programs/2026-11-02.json: attestation 0x" in out
    code, _, err = telefine("retention", "apply", tmp_path / "plan.json", "--yes")
    assert (code, "--by" in err) == (1, True)
    remove, count = Files.remove, []

    def cut_off(self, name):
        if len(count) == 5:
            raise KeyboardInterrupt
        count.append(name)
        remove(self, name)

    monkeypatch.setattr(Files, "remove", cut_off)
    assert telefine("retention", "apply", tmp_path / "plan.json", "--yes", "--by", "ann")[0] == 1
    monkeypatch.setattr(Files, "remove", remove)
    code, out, _ = telefine("retention", "apply", tmp_path / "plan.json", "--yes", "--by", "ann", "--json")
    said = json.loads(out)
    assert (code, said["removed"], said["left"]) == (0, len(planned.removals) - 5, 5)
    assert (said["attestations"], said["payouts"], said["problems"]) == (2, 2, [])
    rows = [row for row in Audit(home.ledger).rows() if row.action == "remove by retention"]
    assert [row.details["plan"] for row in rows] == [planned.digest()] * 2
    assert rows[0].actor == "ann"
    for each in planned.removals:
        assert not Files(home.settings.store.uri).exists(each.name)


def test_a_plan_removes_nothing_that_the_rules_do_not_let_go(home, telefine, old, tmp_path):
    bundle = home.records.read("triage", "attestations", MONDAY)["bundle"]
    name = f"evidence/{bundle[:2]}/{bundle}"
    size = Files(home.settings.store.uri).size(name)
    forged = {"format": 1, "removals": [{"kind": "evidence", "name": name, "bytes": size}]}
    (tmp_path / "plan.json").write_text(json.dumps(forged))
    set_rules(home, "{artifacts_days: 2}")
    code, out, _ = telefine("retention", "apply", tmp_path / "plan.json", "--yes", "--by", "eve")
    assert (code, "0 removed; 1 are gone already, or needed by now" in out) == (0, True)
    assert home.evidence.find(bundle) is not None


def test_runs_go_with_their_events(home):
    with dg.DagsterInstance.from_config(str(home.own / "dagster")) as instance:
        (run,) = instance.get_runs()

        keeper, files = DagsterRuns(instance), Files(home.settings.store.uri)
        later = datetime.now(NOON.tzinfo) + timedelta(days=50)
        found = plan(rules(runs=49), home.ledger, files, [keeper], later)
        assert [(each.kind, each.name) for each in found.removals] == [("dagster run", run.run_id)]
        assert plan(rules(runs=51), home.ledger, files, [keeper], later).removals == ()
        assert len(apply(found, found, files, [keeper], later, all_at_once)) == 1
        assert (instance.get_runs(), instance.all_logs(run.run_id)) == ([], [])
        apply(found, found, files, [keeper], later, all_at_once)


def test_rules_that_would_cut_a_window_are_refused(load):
    for key in ("traces_days", "artifacts_days", "runs_days"):
        with pytest.raises(SettingsError, match=rf"retention.{key} = 43: program 'tickets' looks back 44 days"):
            load({"retention": {key: 43}})
    assert load({"retention": {"traces_days": 44}}).retention.traces_days == 44
    assert load().retention == RetentionSettings()


def test_the_stages_runs_in_mlflow_go_unless_their_day_is_held(home, empty_template, tmp_path):
    client = MlflowClient(copy_store(empty_template, tmp_path / "mlflow"))
    experiment = client.create_experiment("telefine/triage")
    ended = {}
    for of in (MONDAY, day(0), None):
        tags = {"telefine.day": of} if of else {}
        ended[of] = client.create_run(experiment, start_time=0, tags=tags).info.run_id
        client.set_terminated(ended[of], end_time=1000)
    going_on = client.create_run(experiment, start_time=0, tags={"telefine.day": day(0)}).info.run_id
    keeper, files = MlflowRuns(client, ["triage", "never_ran"]), Files(home.settings.store.uri)
    found = plan(rules(runs=50), home.ledger, files, [keeper], NOON)
    assert {each.name for each in found.removals} == {ended[day(0)], ended[None]}
    assert {each.name for each in found.held} == {f"mlflow run {ended[MONDAY]}"}
    apply(found, found, files, [keeper], NOON, all_at_once)
    assert {run.info.run_id for run in client.search_runs([experiment])} == {ended[MONDAY], going_on}
    assert plan(rules(runs=50), home.ledger, files, [keeper], NOON).removals == ()
